;; Writes a thousand warnings, then passes.
(module
  (import "waypost:policy/log@1.0.0" "write" (func $write (param i32 i32 i32)))
  @include common.inc
  @include content.inc
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (local $n i32)
    (loop $again
      (call $write (i32.const 2) @LINE)
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 1000))))
    (i32.store8 (i32.const 1028) (i32.const 3))
    (call $forget (local.get 7))
    (i32.const 1024)))
