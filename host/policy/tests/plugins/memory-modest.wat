;; Takes memory until there is none, and lives with that: refuses.
(module
  @include common.inc
  @include content.inc
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (loop $again
      (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    (i32.store (i32.const 1028) (i32.const 1))
    (call $forget (local.get 7))
    (i32.const 1024)))
