;; Traps before anything is asked of it.
(module
  @include common.inc
  @include content.inc
  (func $start unreachable)
  (start $start)
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    unreachable))
