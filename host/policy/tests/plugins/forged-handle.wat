;; Searches with a handle that nobody gave it.
(module
  (import "waypost:policy/directory@1.0.0" "[method]connector.base" (func $base (param i32 i32)))
  @include common.inc
  @include content.inc
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (call $base (i32.const 7) (i32.const 2000))
    unreachable))
