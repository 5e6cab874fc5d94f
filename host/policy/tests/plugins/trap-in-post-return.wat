;; Traps when the host has taken the answer.
(module
  @include common.inc
  @include content.inc
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store8 (i32.const 1028) (i32.const 3))
    (call $forget (local.get 7))
    (i32.const 1024))
  (func (export "cabi_post_waypost:policy/mapping@1.0.0#route") (param i32)
    unreachable))
