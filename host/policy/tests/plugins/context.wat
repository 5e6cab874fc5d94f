;; Reads the getter whose name the test provides; then passes.
(module
  (import "waypost:policy/types@1.0.0" "[method]context.@GETTER@" (func $get @SIGNATURE@))
  @include common.inc
  @include content.inc
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32) (param $context i32) (result i32)
    @CALL@
    (i32.store8 (i32.const 1028) (i32.const 3))
    (call $forget (local.get 7))
    (i32.const 1024)))
