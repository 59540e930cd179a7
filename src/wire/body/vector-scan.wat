;; Proves that bytes are one JSON object, and finds its top-level members, its long strings and what its short ones are. vector-scan.ts
;; has this as bytes (`npm run wat` writes them), puts a body into the memory, and reads what was found.
;;
;;   "text \" text ... text"     64 bytes at a time: masks of quotes, backslashes and what is escaped
;;    ^at    ^escape       ^end
;;
;; Whatever is not sound, or rare, is left to body-scan.ts: the answer is then "no verdict", a zero. Behind the body are 64 zero bytes, which
;; end a string, a number and a space, and are sound nowhere: so no end of the body is looked for.
(module
  (memory (export "memory") 2)

  ;; At 256: the value of a hexadecimal digit, plus one. 0: it is none.
  (data (i32.const 0x130) "\01\02\03\04\05\06\07\08\09\0a")
  (data (i32.const 0x141) "\0b\0c\0d\0e\0f\10")
  (data (i32.const 0x161) "\0b\0c\0d\0e\0f\10")
  ;; At 512: 2048 bits of short strings. At 768: the bracket that is open at each level. At 0x400: the members, four words each: where the
  ;; name begins and ends, where the value begins and ends. At 0x4400: where long strings begin and end. At 0xc400: the body.

  ;; Set to zero by the caller. Letters: 1 once a letter or an underscore was written as an escape.
  (global $letters (export "letters") (mut i32) (i32.const 0))
  (global $members (export "members") (mut i32) (i32.const 0))
  (global $texts (export "texts") (mut i32) (i32.const 0))

  ;; Zero unless the body of $length bytes is one object of at most so many levels and members.
  (func (export "scan") (param $length i32) (param $levels i32) (param $most i32) (result i32)
    (local $at i32) (local $byte i32) (local $start i32) (local $open i32)
    (local $depth i32)
    ;; Of the top-level member whose value is being read; zero if there is none.
    (local $member i32)

    (local.set $at (call $space (i32.const 0xc400)))
    (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 0x7b)) (then (return (i32.const 0))))
    (loop $value
      (local.set $byte (i32.load8_u (local.get $at)))
      (block $ended
        (if (i32.eq (local.get $byte) (i32.const 0x22))
          (then
            (local.set $start (local.get $at))
            (local.set $at (call $string (local.get $start)))
            (if (i32.ge_s (i32.sub (local.get $at) (local.get $start)) (i32.const 1024))
              (then
                (local.set $open (i32.add (i32.const 0x4400) (i32.shl (global.get $texts) (i32.const 3))))
                (i32.store (local.get $open) (i32.sub (local.get $start) (i32.const 0xc400)))
                (i32.store offset=4 (local.get $open) (i32.sub (local.get $at) (i32.const 0xc400)))
                (global.set $texts (i32.add (global.get $texts) (i32.const 1)))))
            (br_if $ended (local.get $at))
            (return (i32.const 0))))

        ;; Both opening brackets but for one bit.
        (if (i32.eq (i32.or (local.get $byte) (i32.const 0x20)) (i32.const 0x7b))
          (then
            (local.set $depth (i32.add (local.get $depth) (i32.const 1)))
            (if (i32.gt_u (local.get $depth) (local.get $levels)) (then (return (i32.const 0))))
            (i32.store8 offset=768 (local.get $depth) (local.get $byte))
            (local.set $at (call $space (i32.add (local.get $at) (i32.const 1))))
            ;; The bracket that closes comes two behind the one that opens.
            (br_if $ended (i32.eq (i32.load8_u (local.get $at)) (i32.add (local.get $byte) (i32.const 2)))))
          (else
            (local.set $at (call $scalar (local.get $at)))
            (br_if $ended (local.get $at))
            (return (i32.const 0))))

        ;; The first of a container.
        (if (i32.eq (local.get $byte) (i32.const 0x7b))
          (then
            (local.set $start (local.get $at))
            (local.set $at (call $name (local.get $start)))
            (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))
            (if (i32.eq (local.get $depth) (i32.const 1))
              (then
                (local.set $member (call $member (local.get $start) (local.get $at) (local.get $most)))
                (if (i32.eqz (local.get $member)) (then (return (i32.const 0))))))))
        (br $value))

      ;; It has ended, or $at is at the bracket of an empty one: what closes here, and is there another?
      (loop $close
        (if (i32.and (i32.eq (local.get $depth) (i32.const 1)) (i32.ne (local.get $member) (i32.const 0)))
          (then
            (i32.store offset=12 (local.get $member) (i32.sub (local.get $at) (i32.const 0xc400)))
            (local.set $member (i32.const 0))))
        (local.set $at (call $space (local.get $at)))
        (local.set $byte (i32.load8_u (local.get $at)))
        (local.set $open (i32.load8_u offset=768 (local.get $depth)))
        (if (i32.eq (local.get $byte) (i32.const 0x2c))
          (then
            (local.set $at (call $space (i32.add (local.get $at) (i32.const 1))))
            (br_if $value (i32.ne (local.get $open) (i32.const 0x7b)))
            (local.set $start (local.get $at))
            (local.set $at (call $name (local.get $start)))
            (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))
            (br_if $value (i32.ne (local.get $depth) (i32.const 1)))
            (local.set $member (call $member (local.get $start) (local.get $at) (local.get $most)))
            (br_if $value (local.get $member))
            (return (i32.const 0))))
        (if (i32.ne (local.get $byte) (i32.add (local.get $open) (i32.const 2))) (then (return (i32.const 0))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
        (br_if $close (local.get $depth))))
    (i32.eq (i32.sub (call $space (local.get $at)) (i32.const 0xc400)) (local.get $length)))

  ;; The record of one more top-level member, whose end is not known yet; zero for one too many.
  (func $member (param $start i32) (param $value i32) (param $most i32) (result i32)
    (local $record i32)
    (if (i32.ge_u (global.get $members) (local.get $most)) (then (return (i32.const 0))))
    (local.set $record (i32.add (i32.const 0x400) (i32.shl (global.get $members) (i32.const 4))))
    (global.set $members (i32.add (global.get $members) (i32.const 1)))
    (i32.store (local.get $record) (i32.sub (local.get $start) (i32.const 0xc400)))
    (i32.store offset=4 (local.get $record) (i32.sub (global.get $nameEnd) (i32.const 0xc400)))
    (i32.store offset=8 (local.get $record) (i32.sub (local.get $value) (i32.const 0xc400)))
    (local.get $record))

  ;; Behind the last name.
  (global $nameEnd (mut i32) (i32.const 0))

  ;; The value behind the name that must begin here; zero if none does.
  (func $name (param $at i32) (result i32)
    (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 0x22)) (then (return (i32.const 0))))
    (local.set $at (call $string (local.get $at)))
    (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))
    (global.set $nameEnd (local.get $at))
    (local.set $at (call $space (local.get $at)))
    (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 0x3a)) (then (return (i32.const 0))))
    (call $space (i32.add (local.get $at) (i32.const 1))))

  ;; The first byte from here on that is no white space.
  (func $space (param $at i32) (result i32)
    (local $byte i32)
    (loop $next
      (local.set $byte (i32.load8_u (local.get $at)))
      (if (i32.gt_u (local.get $byte) (i32.const 0x20)) (then (return (local.get $at))))
      ;; Space, CR, LF, tab.
      (if (i64.eqz (i64.and (i64.const 1)
            (i64.shr_u (i64.const 0x100002600) (i64.extend_i32_u (local.get $byte)))))
        (then (return (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br $next))
    (unreachable))

  ;; Behind the digits that begin here, of which there is at least one; zero if there is none.
  (func $digits (param $at i32) (result i32)
    (if (i32.gt_u (i32.sub (i32.load8_u (local.get $at)) (i32.const 0x30)) (i32.const 9)) (then (return (i32.const 0))))
    (loop $next
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.le_u (i32.sub (i32.load8_u (local.get $at)) (i32.const 0x30)) (i32.const 9))))
    (local.get $at))

  ;; Behind the number or word that begins here; zero if none does, or for a number that could be Infinity.
  (func $scalar (param $at i32) (result i32)
    (local $start i32) (local $word i32) (local $byte i32)
    (local.set $word (i32.load align=1 (local.get $at)))
    (if (i32.eq (local.get $word) (i32.const 0x65757274)) (then (return (i32.add (local.get $at) (i32.const 4)))))
    (if (i32.eq (local.get $word) (i32.const 0x6c6c756e)) (then (return (i32.add (local.get $at) (i32.const 4)))))
    (if (i32.and
          (i32.eq (local.get $word) (i32.const 0x736c6166))
          (i32.eq (i32.load8_u offset=4 (local.get $at)) (i32.const 0x65)))
      (then (return (i32.add (local.get $at) (i32.const 5)))))

    (local.set $start (local.get $at))
    (local.set $byte (i32.and (local.get $word) (i32.const 0xff)))
    (if (i32.eq (local.get $byte) (i32.const 0x2d)) (then (local.set $at (i32.add (local.get $at) (i32.const 1)))))
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x30))
      (then (local.set $at (i32.add (local.get $at) (i32.const 1))))
      (else
        (local.set $at (call $digits (local.get $at)))
        (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))))
    (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x2e))
      (then
        (local.set $at (call $digits (i32.add (local.get $at) (i32.const 1))))
        (if (i32.eqz (local.get $at)) (then (return (i32.const 0))))))
    ;; Of up to 200 characters and two digits of an exponent no number is too large.
    (if (i32.gt_u (i32.sub (local.get $at) (local.get $start)) (i32.const 200)) (then (return (i32.const 0))))
    (if (i32.eq (i32.or (i32.load8_u (local.get $at)) (i32.const 0x20)) (i32.const 0x65))
      (then
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $byte (i32.load8_u (local.get $at)))
        (if (i32.or (i32.eq (local.get $byte) (i32.const 0x2b)) (i32.eq (local.get $byte) (i32.const 0x2d)))
          (then (local.set $at (i32.add (local.get $at) (i32.const 1)))))
        (local.set $start (local.get $at))
        (local.set $at (call $digits (local.get $at)))
        (if (i32.gt_s (i32.sub (local.get $at) (local.get $start)) (i32.const 2)) (then (return (i32.const 0))))))
    (local.get $at))

  ;; Behind the string whose quote is at $start; zero if it is not sound. One of at most 31 bytes is noted by its length and its first and
  ;; last byte (bitOf in body-scan.ts).
  (func $string (param $start i32) (result i32)
    (local $end i32) (local $length i32) (local $bit i32) (local $word i32)
    (local.set $end (call $end (i32.add (local.get $start) (i32.const 1))))
    (local.set $length (i32.sub (i32.sub (local.get $end) (local.get $start)) (i32.const 2)))
    ;; Of no end it is negative, so more than any.
    (if (i32.le_u (local.get $length) (i32.const 31))
      (then
        (local.set $bit (i32.shr_u
          (i32.mul (i32.const 0x9e3779b1)
            (i32.add
              (i32.add
                (i32.mul (local.get $length) (i32.const 961))
                (i32.mul (i32.load8_u offset=1 (local.get $start)) (i32.const 31)))
              (i32.load8_u (i32.sub (local.get $end) (i32.const 2)))))
          (i32.const 21)))
        (local.set $word (i32.shl (i32.shr_u (local.get $bit) (i32.const 5)) (i32.const 2)))
        (i32.store offset=512 (local.get $word)
          (i32.or (i32.load offset=512 (local.get $word)) (i32.shl (i32.const 1) (local.get $bit))))))
    (local.get $end))

  ;; Behind the closing quote of the string that $at is in, not behind a lone backslash; zero if it is not sound.
  (func $end (param $at i32) (result i32)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local $low v128) (local $high v128) (local $quoteMark v128) (local $backslash v128) (local $space v128) (local $half v128)
    (local $quotes i64) (local $slashes i64) (local $controls i64) (local $escaped i64) (local $inside i64) (local $odd i64)
    (local $ends i32) (local $others i32)

    (local.set $quoteMark (i8x16.splat (i32.const 0x22)))
    (local.set $backslash (i8x16.splat (i32.const 0x5c)))
    (local.set $space (i8x16.splat (i32.const 0x20)))
    ;; Most names and values end within 16 bytes, with nothing special before.
    (local.set $a (v128.load align=1 (local.get $at)))
    (local.set $ends (i8x16.bitmask (i8x16.eq (local.get $a) (local.get $quoteMark))))
    (if (local.get $ends)
      (then
        (local.set $others (i8x16.bitmask (v128.or
          (i8x16.eq (local.get $a) (local.get $backslash))
          (i8x16.lt_u (local.get $a) (local.get $space)))))
        (if (i32.eqz (i32.and
              (local.get $others)
              (i32.sub (i32.and (local.get $ends) (i32.sub (i32.const 0) (local.get $ends))) (i32.const 1))))
          (then (return (i32.add (i32.add (local.get $at) (i32.const 1)) (i32.ctz (local.get $ends))))))))

    (local.set $half (i8x16.splat (i32.const 15)))
    ;; By the lower and by the upper half of a byte: 1 stands for 2x, 2 for 5x, 4 for 6x, 8 for 7x.
    (local.set $low (v128.const i8x16 0 0 13 0 8 0 4 0 0 0 0 0 2 0 4 1))
    (local.set $high (v128.const i8x16 0 0 1 0 0 2 4 8 0 0 0 0 0 0 0 0))

    (block $stop
      (loop $block
        (local.set $a (v128.load offset=0 align=1 (local.get $at)))
        (local.set $b (v128.load offset=16 align=1 (local.get $at)))
        (local.set $c (v128.load offset=32 align=1 (local.get $at)))
        (local.set $d (v128.load offset=48 align=1 (local.get $at)))

        (local.set $quotes (i64.or
          (i64.extend_i32_u (i32.or
            (i8x16.bitmask (i8x16.eq (local.get $a) (local.get $quoteMark)))
            (i32.shl (i8x16.bitmask (i8x16.eq (local.get $b) (local.get $quoteMark))) (i32.const 16))))
          (i64.shl (i64.extend_i32_u (i32.or
            (i8x16.bitmask (i8x16.eq (local.get $c) (local.get $quoteMark)))
            (i32.shl (i8x16.bitmask (i8x16.eq (local.get $d) (local.get $quoteMark))) (i32.const 16))))
            (i64.const 32))))
        (local.set $slashes (i64.or
          (i64.extend_i32_u (i32.or
            (i8x16.bitmask (i8x16.eq (local.get $a) (local.get $backslash)))
            (i32.shl (i8x16.bitmask (i8x16.eq (local.get $b) (local.get $backslash))) (i32.const 16))))
          (i64.shl (i64.extend_i32_u (i32.or
            (i8x16.bitmask (i8x16.eq (local.get $c) (local.get $backslash)))
            (i32.shl (i8x16.bitmask (i8x16.eq (local.get $d) (local.get $backslash))) (i32.const 16))))
            (i64.const 32))))

        ;; Control characters are rare: one comparison for all, and a mask where there is one.
        (local.set $controls (i64.const 0))
        (if (v128.any_true (i8x16.lt_u
              (i8x16.min_u (i8x16.min_u (local.get $a) (local.get $b)) (i8x16.min_u (local.get $c) (local.get $d)))
              (local.get $space)))
          (then (local.set $controls (i64.or
            (i64.extend_i32_u (i32.or
              (i8x16.bitmask (i8x16.lt_u (local.get $a) (local.get $space)))
              (i32.shl (i8x16.bitmask (i8x16.lt_u (local.get $b) (local.get $space))) (i32.const 16))))
            (i64.shl (i64.extend_i32_u (i32.or
              (i8x16.bitmask (i8x16.lt_u (local.get $c) (local.get $space)))
              (i32.shl (i8x16.bitmask (i8x16.lt_u (local.get $d) (local.get $space))) (i32.const 16))))
              (i64.const 32))))))

        ;; What follows a backslash that is not escaped itself. A run of them that begins at an odd bit escapes even ones, and the other way
        ;; round: a sum carries the begin of each run to its end (Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 3.1.1).
        (local.set $escaped (i64.const 0))
        (if (i64.ne (local.get $slashes) (i64.const 0))
          (then
            (local.set $escaped (i64.shl (local.get $slashes) (i64.const 1)))
            (local.set $escaped (i64.and
              (local.get $escaped)
              (i64.xor
                (i64.const 0x5555555555555555)
                (i64.shl
                  (i64.add
                    (local.get $slashes)
                    (i64.and
                      (i64.and (local.get $slashes) (i64.const 0xaaaaaaaaaaaaaaaa))
                      (i64.xor (local.get $escaped) (i64.const -1))))
                  (i64.const 1)))))
            (local.set $quotes (i64.and (local.get $quotes) (i64.xor (local.get $escaped) (i64.const -1))))))

        ;; All bits below the closing quote; all where there is none.
        (local.set $inside (i64.sub (i64.and (local.get $quotes) (i64.sub (i64.const 0) (local.get $quotes))) (i64.const 1)))
        (br_if $stop (i64.ne (i64.const 0) (i64.and (local.get $controls) (local.get $inside))))

        (local.set $odd (i64.and (local.get $escaped) (local.get $inside)))
        (if (i64.ne (local.get $odd) (i64.const 0))
          (then
            ;; Those that are more than one letter, or no escape: of " / \ b f n r t, the tables have a bit in common at both halves.
            (local.set $odd (i64.and (local.get $odd) (i64.or
              (i64.extend_i32_u (i32.or
                (i8x16.bitmask (i8x16.eq (v128.const i64x2 0 0) (v128.and
                  (i8x16.swizzle (local.get $low) (v128.and (local.get $a) (local.get $half)))
                  (i8x16.swizzle (local.get $high) (i8x16.shr_u (local.get $a) (i32.const 4))))))
                (i32.shl (i8x16.bitmask (i8x16.eq (v128.const i64x2 0 0) (v128.and
                  (i8x16.swizzle (local.get $low) (v128.and (local.get $b) (local.get $half)))
                  (i8x16.swizzle (local.get $high) (i8x16.shr_u (local.get $b) (i32.const 4)))))) (i32.const 16))))
              (i64.shl (i64.extend_i32_u (i32.or
                (i8x16.bitmask (i8x16.eq (v128.const i64x2 0 0) (v128.and
                  (i8x16.swizzle (local.get $low) (v128.and (local.get $c) (local.get $half)))
                  (i8x16.swizzle (local.get $high) (i8x16.shr_u (local.get $c) (i32.const 4))))))
                (i32.shl (i8x16.bitmask (i8x16.eq (v128.const i64x2 0 0) (v128.and
                  (i8x16.swizzle (local.get $low) (v128.and (local.get $d) (local.get $half)))
                  (i8x16.swizzle (local.get $high) (i8x16.shr_u (local.get $d) (i32.const 4)))))) (i32.const 16))))
                (i64.const 32)))))
            (loop $next
              (if (i64.ne (local.get $odd) (i64.const 0))
                (then
                  (br_if $stop (i32.eqz (call $unicode
                    (i32.add (local.get $at) (i32.wrap_i64 (i64.ctz (local.get $odd)))))))
                  (local.set $odd (i64.and (local.get $odd) (i64.sub (local.get $odd) (i64.const 1))))
                  (br $next))))))

        (if (i64.ne (local.get $quotes) (i64.const 0))
          (then (return (i32.add (i32.add (local.get $at) (i32.const 1)) (i32.wrap_i64 (i64.ctz (local.get $quotes)))))))
        ;; A backslash at the end that is not escaped is looked at again, as the first of a block.
        (local.set $at (i32.add (local.get $at) (i32.sub (i32.const 64)
          (i32.wrap_i64 (i64.shr_u
            (i64.and (local.get $slashes) (i64.xor (local.get $escaped) (i64.const -1)))
            (i64.const 63))))))
        (br $block)))
    (i32.const 0))

  ;; Zero unless the u of an escape is at $at, with its four digits. Notes letters and underscores.
  (func $unicode (param $at i32) (result i32)
    (local $h0 i32) (local $h1 i32) (local $h2 i32) (local $h3 i32)
    (if (i32.ne (i32.load8_u (local.get $at)) (i32.const 0x75)) (then (return (i32.const 0))))
    (local.set $h0 (i32.load8_u offset=256 (i32.load8_u offset=1 (local.get $at))))
    (local.set $h1 (i32.load8_u offset=256 (i32.load8_u offset=2 (local.get $at))))
    (local.set $h2 (i32.load8_u offset=256 (i32.load8_u offset=3 (local.get $at))))
    (local.set $h3 (i32.load8_u offset=256 (i32.load8_u offset=4 (local.get $at))))
    (if (i32.eqz (local.get $h0)) (then (return (i32.const 0))))
    (if (i32.eqz (local.get $h1)) (then (return (i32.const 0))))
    (if (i32.eqz (local.get $h2)) (then (return (i32.const 0))))
    (if (i32.eqz (local.get $h3)) (then (return (i32.const 0))))
    (if (i32.eq (i32.add (local.get $h0) (local.get $h1)) (i32.const 2))
      (then
        (local.set $h2 (i32.add
          (i32.shl (i32.sub (local.get $h2) (i32.const 1)) (i32.const 4))
          (i32.sub (local.get $h3) (i32.const 1))))
        ;; A to Z and a to z but for one bit, and the underscore.
        (if (i32.or
              (i32.lt_u (i32.sub (i32.or (local.get $h2) (i32.const 0x20)) (i32.const 0x61)) (i32.const 26))
              (i32.eq (local.get $h2) (i32.const 0x5f)))
          (then (global.set $letters (i32.const 1))))))
    (i32.const 1)))
