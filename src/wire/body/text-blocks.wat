;; Finds where a JSON string ends, 64 bytes at a time, with what lies between them checked: escapes are sound, and no byte is a control
;; character. text-blocks.ts has this as bytes (`npm run wat` writes them) and puts a body behind the tables.
;;
;;   "text \" text ... text"     each block: masks of its quotes and backslashes, looked at from the lowest bit on
;;    ^at    ^escape       ^end
(module
  (memory (export "memory") 1)

  ;; At 0: what a byte means behind a backslash. 1: it is the whole escape. 2: four hexadecimal digits follow. 0: nothing.
  (data (i32.const 0x22) "\01")
  (data (i32.const 0x2f) "\01")
  (data (i32.const 0x5c) "\01")
  (data (i32.const 0x62) "\01")
  (data (i32.const 0x66) "\01")
  (data (i32.const 0x6e) "\01")
  (data (i32.const 0x72) "\01")
  (data (i32.const 0x74) "\01\02")
  ;; At 256: the value of a hexadecimal digit, plus one. 0: it is none.
  (data (i32.const 0x130) "\01\02\03\04\05\06\07\08\09\0a")
  (data (i32.const 0x141) "\0b\0c\0d\0e\0f\10")
  (data (i32.const 0x161) "\0b\0c\0d\0e\0f\10")

  ;; 1 once a letter or an underscore was written as an escape. Nothing here sets it back.
  (global $letters (export "letters") (mut i32) (i32.const 0))

  ;; $at: within a string, not behind a lone backslash. $limit: the end of the body.
  ;; Returns the address behind the closing quote, or, with all its bits inverted, one that is sound up to there: what follows is not, or too
  ;; short for a block.
  (func (export "end") (param $at i32) (param $limit i32) (result i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local $quotes i64) (local $slashes i64) (local $controls i64) (local $quote i64) (local $slash i64)
    (local $code i32) (local $kind i32)
    (local $h0 i32) (local $h1 i32) (local $h2 i32) (local $h3 i32)

    (block $stop
      (loop $block
        (br_if $stop (i32.gt_u (i32.add (local.get $at) (i32.const 64)) (local.get $limit)))
        (local.set $a (v128.load offset=0 align=1 (local.get $at)))
        (local.set $b (v128.load offset=16 align=1 (local.get $at)))
        (local.set $c (v128.load offset=32 align=1 (local.get $at)))
        (local.set $d (v128.load offset=48 align=1 (local.get $at)))

        (local.set $quotes (i64.or
          (i64.extend_i32_u (i32.or
            (i8x16.bitmask (i8x16.eq (local.get $a) (i8x16.splat (i32.const 0x22))))
            (i32.shl (i8x16.bitmask (i8x16.eq (local.get $b) (i8x16.splat (i32.const 0x22)))) (i32.const 16))))
          (i64.shl (i64.extend_i32_u (i32.or
            (i8x16.bitmask (i8x16.eq (local.get $c) (i8x16.splat (i32.const 0x22))))
            (i32.shl (i8x16.bitmask (i8x16.eq (local.get $d) (i8x16.splat (i32.const 0x22)))) (i32.const 16))))
            (i64.const 32))))
        (local.set $slashes (i64.or
          (i64.extend_i32_u (i32.or
            (i8x16.bitmask (i8x16.eq (local.get $a) (i8x16.splat (i32.const 0x5c))))
            (i32.shl (i8x16.bitmask (i8x16.eq (local.get $b) (i8x16.splat (i32.const 0x5c)))) (i32.const 16))))
          (i64.shl (i64.extend_i32_u (i32.or
            (i8x16.bitmask (i8x16.eq (local.get $c) (i8x16.splat (i32.const 0x5c))))
            (i32.shl (i8x16.bitmask (i8x16.eq (local.get $d) (i8x16.splat (i32.const 0x5c)))) (i32.const 16))))
            (i64.const 32))))

        ;; Control characters are rare: one comparison for all, and a mask where there is one.
        (local.set $controls (i64.const 0))
        (if (v128.any_true (i8x16.lt_u
              (i8x16.min_u (i8x16.min_u (local.get $a) (local.get $b)) (i8x16.min_u (local.get $c) (local.get $d)))
              (i8x16.splat (i32.const 0x20))))
          (then (local.set $controls (i64.or
            (i64.extend_i32_u (i32.or
              (i8x16.bitmask (i8x16.lt_u (local.get $a) (i8x16.splat (i32.const 0x20))))
              (i32.shl (i8x16.bitmask (i8x16.lt_u (local.get $b) (i8x16.splat (i32.const 0x20)))) (i32.const 16))))
            (i64.shl (i64.extend_i32_u (i32.or
              (i8x16.bitmask (i8x16.lt_u (local.get $c) (i8x16.splat (i32.const 0x20))))
              (i32.shl (i8x16.bitmask (i8x16.lt_u (local.get $d) (i8x16.splat (i32.const 0x20)))) (i32.const 16))))
              (i64.const 32))))))

        (loop $special
          (local.set $quote (i64.and (local.get $quotes) (i64.sub (i64.const 0) (local.get $quotes))))
          (local.set $slash (i64.and (local.get $slashes) (i64.sub (i64.const 0) (local.get $slashes))))

          ;; One less than the lowest bit; of none, more than any bit.
          (if (i64.lt_u (i64.sub (local.get $quote) (i64.const 1)) (i64.sub (local.get $slash) (i64.const 1)))
            (then
              ;; The string ends here.
              (br_if $stop (i64.ne (i64.const 0)
                (i64.and (local.get $controls) (i64.sub (local.get $quote) (i64.const 1)))))
              (return (i32.add (i32.add (local.get $at) (i32.const 1))
                (i32.wrap_i64 (i64.ctz (local.get $quote)))))))

          (if (i64.eqz (local.get $slash))
            (then
              (br_if $stop (i64.ne (local.get $controls) (i64.const 0)))
              (local.set $at (i32.add (local.get $at) (i32.const 64)))
              (br $block)))

          ;; A backslash at the end is looked at again, as the first of a block.
          (if (i64.lt_s (local.get $slash) (i64.const 0))
            (then
              (br_if $stop (i64.ne (local.get $controls) (i64.const 0)))
              (local.set $at (i32.add (local.get $at) (i32.const 63)))
              (br $block)))

          (local.set $code (i32.add (local.get $at) (i32.wrap_i64 (i64.ctz (local.get $slash)))))
          (local.set $kind (i32.load8_u (i32.load8_u offset=1 (local.get $code))))
          (if (i32.ne (local.get $kind) (i32.const 1))
            (then
              (br_if $stop (i32.eqz (local.get $kind)))
              (br_if $stop (i32.gt_u (i32.add (local.get $code) (i32.const 6)) (local.get $limit)))
              (local.set $h0 (i32.load8_u offset=256 (i32.load8_u offset=2 (local.get $code))))
              (local.set $h1 (i32.load8_u offset=256 (i32.load8_u offset=3 (local.get $code))))
              (local.set $h2 (i32.load8_u offset=256 (i32.load8_u offset=4 (local.get $code))))
              (local.set $h3 (i32.load8_u offset=256 (i32.load8_u offset=5 (local.get $code))))
              (br_if $stop (i32.eqz (local.get $h0)))
              (br_if $stop (i32.eqz (local.get $h1)))
              (br_if $stop (i32.eqz (local.get $h2)))
              (br_if $stop (i32.eqz (local.get $h3)))
              (if (i32.eq (i32.add (local.get $h0) (local.get $h1)) (i32.const 2))
                (then
                  (local.set $h2 (i32.add
                    (i32.shl (i32.sub (local.get $h2) (i32.const 1)) (i32.const 4))
                    (i32.sub (local.get $h3) (i32.const 1))))
                  ;; A to Z and a to z but for one bit, and the underscore.
                  (if (i32.or
                        (i32.lt_u (i32.sub (i32.or (local.get $h2) (i32.const 0x20)) (i32.const 0x61)) (i32.const 26))
                        (i32.eq (local.get $h2) (i32.const 0x5f)))
                    (then (global.set $letters (i32.const 1))))))))

          ;; Neither the backslash nor what it escapes counts.
          (local.set $slash (i64.xor (i64.const -1)
            (i64.or (local.get $slash) (i64.shl (local.get $slash) (i64.const 1)))))
          (local.set $quotes (i64.and (local.get $quotes) (local.get $slash)))
          (local.set $slashes (i64.and (local.get $slashes) (local.get $slash)))
          (br $special))))
    (i32.xor (local.get $at) (i32.const -1))))
