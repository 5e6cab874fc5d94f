;; Takes 32 MiB in `configure`.
(module
  @include common.inc
  (func (export "waypost:policy/mapping@1.0.0#configure") (param i32 i32) (result i32)
    (drop (memory.grow (i32.const 512)))
    (memory.fill (i32.const 131072) (i32.const 7) (i32.const 1048576))
    (i32.const 16))
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store8 (i32.const 1028) (i32.const 3))
    (call $forget (local.get 7))
    (i32.const 1024)))
