;; Writes one line of 32 MiB.
(module
  (import "waypost:policy/log@1.0.0" "write" (func $write (param i32 i32 i32)))
  @include common.inc
  @include content.inc
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (drop (memory.grow (i32.const 512)))
    (memory.fill (i32.const 131072) (i32.const 0x61) (i32.const 33554432))
    (call $write (i32.const 2) (i32.const 131072) (i32.const 33554432))
    (i32.store8 (i32.const 1028) (i32.const 3))
    (call $forget (local.get 7))
    (i32.const 1024)))
