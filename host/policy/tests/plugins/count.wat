;; Refuses with a text of as many `x` as there were calls of `route` in this memory, and as many
;; `c` before them as `configure` has counted: isolation and the snapshot in one.
(module
  @include common.inc
  (global $configured (mut i32) (i32.const 0))
  (func (export "waypost:policy/mapping@1.0.0#configure") (param i32 i32) (result i32)
    ;; One `c` for each octet of the settings.
    (memory.fill (i32.const 2048) (i32.const 0x63) (local.get 1))
    (global.set $configured (local.get 1))
    (i32.const 16))
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1)))
    (memory.fill
      (i32.add (i32.const 2048) (global.get $configured)) (i32.const 0x78) (i32.load (i32.const 8)))
    (i32.store (i32.const 1028) (i32.const 1))
    (i32.store (i32.const 1032) (i32.const 3))
    (i32.store (i32.const 1036) (i32.const 2048))
    (i32.store (i32.const 1040)
      (i32.add (global.get $configured) (i32.load (i32.const 8))))
    (call $forget (local.get 7))
    (i32.const 1024)))
