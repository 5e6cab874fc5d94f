;; As `count.wat`, but with an instruction that no snapshot can follow.
(module
  @include common.inc
  (table 1 funcref)
  (global $configured (mut i32) (i32.const 0))
  (func (export "waypost:policy/mapping@1.0.0#configure") (param i32 i32) (result i32)
    (table.set (i32.const 0) (ref.null func))
    (memory.fill (i32.const 2048) (i32.const 0x63) (local.get 1))
    (global.set $configured (local.get 1))
    (i32.const 16))
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store (i32.const 1028) (i32.const 1))
    (i32.store (i32.const 1032) (i32.const 3))
    (i32.store (i32.const 1036) (i32.const 2048))
    (i32.store (i32.const 1040) (global.get $configured))
    (call $forget (local.get 7))
    (i32.const 1024)))
