;; Opens @NAME and searches as often as the settings have octets, but for the first two. The last
;; result tells: an error is the failure `ambiguous` with the error's number, no entry is `pass`,
;; an entry is a route to 10.0.0.1 after its password has been checked.
(module
  (import "waypost:policy/directory@1.0.0" "open" (func $open (param i32 i32 i32)))
  (import "waypost:policy/directory@1.0.0" "[method]connector.search"
    (func $search (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  @include common.inc
  (global $times (mut i32) (i32.const 1))
  (func (export "waypost:policy/mapping@1.0.0#configure") (param i32 i32) (result i32)
    (global.set $times (i32.sub (local.get 1) (i32.const 2)))
    (i32.const 16))
  (func $string (param $at i32) (param $pointer i32) (param $length i32)
    (i32.store (local.get $at) (local.get $pointer))
    (i32.store offset=4 (local.get $at) (local.get $length)))
  (func $fail (param $error i32) (result i32)
    (i32.store8 (i32.const 1024) (i32.const 1))
    (i32.store8 (i32.const 1028) (i32.const 1))
    (i32.store (i32.const 1032) (local.get $error))
    (i32.const 1024))
  (func (export "waypost:policy/mapping@1.0.0#route")
    (param $purpose i32) (param $address i32) (param $address_length i32)
    (param i32 i32 i32 i32 i32) (result i32)
    (call $open @NAME (i32.const 2000))
    (if (i32.load8_u (i32.const 2000))
      (then
        (call $forget (local.get 7))
        (return (call $fail (i32.load8_u (i32.const 2004))))))
    ;; One parameter, the address; one attribute.
    (call $string (i32.const 2200) (local.get $address) (local.get $address_length))
    (call $string (i32.const 2208) @ATTRIBUTE)
    (loop $again
      (call $search (i32.load (i32.const 2004)) @BASE (i32.const 2) @FILTER
        (i32.const 2200) (i32.const 1) (i32.const 2208) (i32.const 1) (i32.const 100)
        (i32.const 2100))
      (global.set $times (i32.sub (global.get $times) (i32.const 1)))
      (br_if $again (i32.gt_s (global.get $times) (i32.const 0))))
    (if (i32.load8_u (i32.const 2100))
      (then
        (call $forget (local.get 7))
        (return (call $fail (i32.load8_u (i32.const 2104))))))
    (if (i32.eqz (i32.load (i32.const 2108)))
      (then
        (i32.store8 (i32.const 1028) (i32.const 3))
        (call $forget (local.get 7))
        (return (i32.const 1024))))
    ;; targets
    (call $string (i32.const 1032) (i32.const 2300) (i32.const 1))
    (call $string (i32.const 2300) @HOST)
    ;; by-password, the first entry
    (i32.store8 (i32.const 1052) (i32.const 2))
    (call $string (i32.const 1056) @NAME)
    (call $string (i32.const 1064)
      (i32.load (i32.load (i32.const 2104)))
      (i32.load offset=4 (i32.load (i32.const 2104))))
    (call $forget (local.get 7))
    (i32.const 1024)))
