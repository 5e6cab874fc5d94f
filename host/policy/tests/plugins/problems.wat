;; Finds the problem at 1024 in whatever settings it gets.
(module
  @include common.inc
  (func (export "waypost:policy/mapping@1.0.0#configure") (param i32 i32) (result i32)
    (i32.store8 (i32.const 2000) (i32.const 1))
    (i32.store (i32.const 2004) (i32.const 2100))
    (i32.store (i32.const 2008) (i32.const 1))
    (call $string (i32.const 2100) @PATH)
    (call $string (i32.const 2108) @MESSAGE)
    (i32.const 2000))
  (func $string (param $at i32) (param $pointer i32) (param $length i32)
    (i32.store (local.get $at) (local.get $pointer))
    (i32.store offset=4 (local.get $at) (local.get $length)))
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    unreachable))
