;; Spends its time in the engine's own code: each turn fills 16 MiB.
(module
  @include common.inc
  @include content.inc
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (drop (memory.grow (i32.const 256)))
    (loop $again
      (memory.fill (i32.const 65536) (i32.const 1) (i32.const 16777216))
      (br $again))
    unreachable))
