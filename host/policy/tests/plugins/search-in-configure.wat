;; Opens a directory before it is asked anything.
(module
  (import "waypost:policy/directory@1.0.0" "open" (func $open (param i32 i32 i32)))
  @include common.inc
  (func (export "waypost:policy/mapping@1.0.0#configure") (param i32 i32) (result i32)
    (call $open @NAME (i32.const 2000))
    (i32.const 16))
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    unreachable))
