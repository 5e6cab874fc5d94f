;; Overflows the stack.
(module
  @include common.inc
  @include content.inc
  (func $down (param i64) (result i64)
    (i64.add (call $down (i64.add (local.get 0) (i64.const 1))) (local.get 0)))
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.wrap_i64 (call $down (i64.const 0)))))
