;; Traps where the local part starts with `b`, passes otherwise.
(module
  @include common.inc
  @include content.inc
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param $purpose i32) (param $address i32) (param i32) (param $local i32)
    (param i32 i32 i32 i32) (result i32)
    (if (i32.eq (i32.load8_u (local.get $local)) (i32.const 0x62)) (then unreachable))
    (i32.store8 (i32.const 1028) (i32.const 3))
    (call $forget (local.get 7))
    (i32.const 1024)))
