;; Traps, inside a function with a name.
(module
  @include common.inc
  @include content.inc
  (func $give_up unreachable)
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (call $give_up)
    unreachable))
