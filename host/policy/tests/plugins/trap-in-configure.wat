;; Traps in `configure`.
(module
  @include common.inc
  (func (export "waypost:policy/mapping@1.0.0#configure") (param i32 i32) (result i32)
    unreachable)
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    unreachable))
