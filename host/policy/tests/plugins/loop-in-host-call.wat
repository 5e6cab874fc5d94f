;; Asks for the protocol, and never comes back when the host wants room for the answer: it loops while
;; the host's own function is under way.
(module
  (import "waypost:policy/types@1.0.0" "[method]context.protocol" (func $protocol (param i32 i32)))
  (import "waypost:policy/types@1.0.0" "[resource-drop]context" (func $forget (param i32)))
  (memory (export "memory") 2)
  (global $asking (mut i32) (i32.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (if (global.get $asking) (then (loop $again (br $again))))
    (i32.const 65536))
  @include content.inc
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32) (param $context i32) (result i32)
    (global.set $asking (i32.const 1))
    (call $protocol (local.get $context) (i32.const 2000))
    (call $forget (local.get $context))
    (i32.store8 (i32.const 1028) (i32.const 3))
    (i32.const 1024)))
