"""Wide integers in memory, in restricted Python: compiled into the kernel module, called by compiled bodies (and small enough to read).

Numbers are little-endian vectors of 64-bit limbs, zero above their width `w` (in bits). `d` is the destination, which may not overlap the
operands unless said otherwise. Every function that writes a number leaves it zero-extended to whole limbs.
"""

from __future__ import annotations

from wasmjit.sched.intrinsics import (
    bits_f64,
    clz32,
    clz64,
    ctz64,
    export,
    f64,
    f64_bits,
    i32,
    i64,
    ld8,
    ld8_64,
    ld32_64,
    ld64,
    memcpy,
    memory_size,
    memset,
    mulhi64,
    popcnt64,
    select,
    st8,
    st32,
    st64,
    u32,
    u64,
)

ONES = 0xFFFFFFFFFFFFFFFF
INF_EXP = 2047


@export
def w_trim(d: i32, w: i32) -> None:
    """Clears the bits at and above `w` of the top limb."""
    s = w & 63
    if s:
        at = d + ((w >> 6) << 3)
        mask: i64 = ONES
        st64(at, ld64(at) & (mask >> u64(64 - s)))


@export
def w_add(d: i32, a: i32, b: i32, w: i32) -> None:
    """d may be a or b."""
    carry: i64 = 0
    for i in range(0, ((w + 63) >> 6) << 3, 8):
        x = ld64(a + i)
        s = u64(x + ld64(b + i))
        t = u64(s + carry)
        if s < x or t < s:
            carry = 1
        else:
            carry = 0
        st64(d + i, t)
    w_trim(d, w)


@export
def w_sub(d: i32, a: i32, b: i32, w: i32) -> None:
    """d may be a or b."""
    borrow: i64 = 0
    for i in range(0, ((w + 63) >> 6) << 3, 8):
        x = ld64(a + i)
        y = ld64(b + i)
        s = u64(x - y)
        t = u64(s - borrow)
        if x < y or s < borrow:
            borrow = 1
        else:
            borrow = 0
        st64(d + i, t)
    w_trim(d, w)


@export
def w_bit(d: i32, a: i32, b: i32, n: i32, op: i32) -> None:
    """n limbs; op 0 and, 1 or, 2 xor."""
    for i in range(0, n << 3, 8):
        x = ld64(a + i)
        y = ld64(b + i)
        if op == 0:
            st64(d + i, x & y)
        elif op == 1:
            st64(d + i, x | y)
        else:
            st64(d + i, x ^ y)


@export
def w_mulhi(a: i64, b: i64) -> i64:
    """Upper 64 bits of the product."""
    return mulhi64(a, b)


@export
def w_mul(d: i32, a: i32, b: i32, w: i32) -> None:
    """Product modulo 2**w, schoolbook on 32-bit digits."""
    n = (w + 63) >> 6
    memset(d, 0, n << 3)
    digits = n << 1
    for i in range(digits):
        x = ld32_64(a + (i << 2))
        if x:
            carry: i64 = 0
            for j in range(digits - i):
                at = d + ((i + j) << 2)
                t = u64(x * ld32_64(b + (j << 2)) + ld32_64(at) + carry)
                st32(at, u32(t))
                carry = t >> u64(32)
    w_trim(d, w)


@export
def w_neg(d: i32, a: i32, w: i32) -> None:
    """Two's complement; d may be a."""
    carry: i64 = 1
    for i in range(0, ((w + 63) >> 6) << 3, 8):
        t = u64(u64(~ld64(a + i)) + carry)
        if t:
            carry = 0
        st64(d + i, t)
    w_trim(d, w)


def top_bit(a: i32, w: i32) -> i32:
    return (ld8(a + ((w - 1) >> 3)) >> ((w - 1) & 7)) & 1


def digit_count(a: i32, digits: i32) -> i32:
    """32-bit digits up to the highest one that is not zero."""
    while digits and ld32_64(a + ((digits - 1) << 2)) == 0:
        digits -= 1
    return digits


@export
def w_div(d: i32, a: i32, b: i32, w: i32, op: i32, t: i32) -> None:
    """op 0 divu, 1 modu, 2 divs, 3 mods. `t`: scratch of 4 numbers plus 32 bytes. x/0 and x%0 are 0; the most negative number / -1 wraps."""
    n = ((w + 63) >> 6) << 3
    digits = n >> 2
    negative = 0
    u = t
    v = t + n + 16
    memcpy(u, a, n)
    st64(u + n, 0)
    memcpy(v, b, n)
    if op >= 2:
        if top_bit(a, w):
            w_neg(u, u, w)
            negative = 1
        if top_bit(b, w):
            w_neg(v, v, w)
            if op == 2:
                negative = negative ^ 1
    memset(d, 0, n)
    m = digit_count(v, digits)
    if m == 0:
        return
    q = v + n
    memset(q, 0, n)
    if m == 1:
        rem: i64 = 0
        y = ld32_64(v)
        for k in range(digits):
            i = (digits - 1 - k) << 2
            cur = (rem << u64(32)) | ld32_64(u + i)
            st32(q + i, u32(cur // y))
            rem = cur % y
            st32(u + i, 0)
        st32(u, u32(rem))
    else:
        knuth(q, u, v, digits, m)
    if op & 1:
        memcpy(d, u, n)
    else:
        memcpy(d, q, n)
    if negative:
        w_neg(d, d, w)


def knuth(q: i32, u: i32, v: i32, digits: i32, m: i32) -> None:
    """Algorithm D (Knuth, TAOCP 2, 4.3.1) on 32-bit digits: q = u / v, u = u % v; v has m >= 2 digits, u one spare digit on top."""
    s = clz32(u32(ld32_64(v + ((m - 1) << 2))))
    shift_left(v, m, s)
    top = u32(ld32_64(u + ((digits - 1) << 2)))
    shift_left(u, digits, s)
    if s:
        st32(u + (digits << 2), top >> (32 - s))
    else:
        st32(u + (digits << 2), 0)
    v1 = ld32_64(v + ((m - 1) << 2))
    v2 = ld32_64(v + ((m - 2) << 2))
    if digits >= m:
        for k in range(digits - m + 1):
            j = digits - m - k
            at = u + ((j + m) << 2)
            num = (ld32_64(at) << u64(32)) | ld32_64(at - 4)
            qh = num // v1
            rh = num % v1
            again = 1
            while again:
                again = 0
                if qh > 0xFFFFFFFF or u64(qh * v2) > ((rh << u64(32)) | ld32_64(at - 8)):
                    qh = qh - 1
                    rh = rh + v1
                    if rh <= 0xFFFFFFFF:
                        again = 1
            borrow: i64 = 0
            carry: i64 = 0
            base = u + (j << 2)
            for i in range(m):
                p = u64(qh * ld32_64(v + (i << 2)) + carry)
                carry = p >> u64(32)
                x = u64(ld32_64(base + (i << 2)) - (p & 0xFFFFFFFF) - borrow)
                st32(base + (i << 2), u32(x))
                borrow = (x >> u64(32)) & 1
            x = u64(ld32_64(at) - carry - borrow)
            st32(at, u32(x))
            if (x >> u64(32)) & 1:
                qh = qh - 1
                carry = 0
                for i in range(m):
                    p = ld32_64(base + (i << 2)) + ld32_64(v + (i << 2)) + carry
                    st32(base + (i << 2), u32(p))
                    carry = p >> u64(32)
                st32(at, u32(u64(ld32_64(at) + carry)))
            st32(q + (j << 2), u32(qh))
    if s:
        for i in range(digits):
            lo = u32(ld32_64(u + (i << 2))) >> s
            hi = u32(ld32_64(u + ((i + 1) << 2)) << u64(32 - s))
            st32(u + (i << 2), lo | hi)


def shift_left(a: i32, digits: i32, s: i32) -> None:
    """In place, 0 <= s < 32; what leaves the top is lost."""
    if s:
        carry: i64 = 0
        for i in range(digits):
            x = (ld32_64(a + (i << 2)) << u64(s)) | carry
            st32(a + (i << 2), u32(x))
            carry = x >> u64(32)


@export
def w_get64(src: i32, bit: i32, width: i32) -> i64:
    """`width` <= 64 bits from bit offset `bit`; reads up to 9 bytes."""
    p = src + (bit >> 3)
    s = u64(bit & 7)
    x = ld64(p) >> s
    if s + u64(width) > 64:
        x = x | (ld8_64(p + 8) << (64 - s))
    mask: i64 = ONES
    return x & (mask >> u64(64 - width))


@export
def w_put64(d: i32, bit: i32, val: i64, width: i32) -> None:
    """Ors `width` <= 64 bits of a zero-extended value into place; touches up to 9 bytes."""
    p = d + (bit >> 3)
    s = u64(bit & 7)
    st64(p, ld64(p) | u64(val << s))
    if s + u64(width) > 64:
        st8(p + 8, ld8(p + 8) | u32(val >> (64 - s)))


@export
def w_getbits(d: i32, src: i32, bit: i32, w: i32) -> None:
    """w bits from bit offset `bit` of src; reads up to 8 bytes beyond them."""
    left = w
    at = d
    while left > 0:
        k = select(left > 64, 64, left)
        st64(at, w_get64(src, bit, k))
        at += 8
        bit += k
        left -= k


@export
def w_putbits(d: i32, bit: i32, src: i32, w: i32) -> None:
    """Ors the w bits of src into place at bit offset `bit` of d."""
    left = w
    at = src
    while left > 0:
        k = select(left > 64, 64, left)
        w_put64(d, bit, ld64(at), k)
        at += 8
        bit += k
        left -= k


@export
def w_shl(d: i32, a: i32, n: i32, w: i32) -> None:
    """n >= w gives 0."""
    size = ((w + 63) >> 6) << 3
    memset(d, 0, size)
    if n < w:
        words = (n >> 6) << 3
        s = u64(n & 63)
        low: i64 = 0
        for i in range(words, size, 8):
            x = ld64(a + i - words)
            st64(d + i, u64(x << s) | low)
            if s:
                low = x >> (64 - s)
        w_trim(d, w)


@export
def w_shr(d: i32, a: i32, n: i32, w: i32, arithmetic: i32) -> None:
    """n >= w gives 0, or the sign."""
    size = ((w + 63) >> 6) << 3
    sign = arithmetic & top_bit(a, w)
    if n >= w:
        memset(d, u32(0 - sign), size)
    else:
        words = (n >> 6) << 3
        s = u64(n & 63)
        for i in range(0, size, 8):
            x = word(a, i + words, size, w, sign) >> s
            if s:
                x = x | u64(word(a, i + words + 8, size, w, sign) << (64 - s))
            st64(d + i, x)
    w_trim(d, w)


def word(a: i32, at: i32, size: i32, w: i32, sign: i32) -> i64:
    """Limb at byte `at` of a number, sign-extended without end if `sign`."""
    fill = u64(0 - u64(sign))
    if at >= size:
        return fill
    x = ld64(a + at)
    if at + 8 == size and (w & 63):
        x = x | u64(fill << u64(w & 63))
    return x


@export
def w_sext(d: i32, a: i32, wa: i32, w: i32) -> None:
    """Sign extension from wa to w bits."""
    size = ((w + 63) >> 6) << 3
    small = ((wa + 63) >> 6) << 3
    sign = top_bit(a, wa)
    for i in range(0, size, 8):
        st64(d + i, word(a, i, small, wa, sign))
    w_trim(d, w)


@export
def w_lt(a: i32, b: i32, w: i32, is_signed: i32) -> i32:
    if is_signed:
        sa = top_bit(a, w)
        if sa != top_bit(b, w):
            return sa
    i = ((w + 63) >> 6) << 3
    while i:
        i -= 8
        x = ld64(a + i)
        y = ld64(b + i)
        if x != y:
            if x < y:
                return 1
            return 0
    return 0


@export
def w_ne(a: i32, b: i32, n: i32) -> i32:
    """Whether n bytes differ."""
    i = 0
    while i + 8 <= n:
        if ld64(a + i) != ld64(b + i):
            return 1
        i += 8
    while i < n:
        if ld8(a + i) != ld8(b + i):
            return 1
        i += 1
    return 0


@export
def w_popcount(a: i32, w: i32) -> i32:
    total: i64 = 0
    for i in range(0, ((w + 63) >> 6) << 3, 8):
        total = total + popcnt64(ld64(a + i))
    return u32(total)


@export
def w_ctlz(a: i32, w: i32) -> i32:
    i = ((w + 63) >> 6) << 3
    while i:
        i -= 8
        x = ld64(a + i)
        if x:
            return w - (i << 3) - 64 + u32(clz64(x))
    return w


@export
def w_cttz(a: i32, w: i32) -> i32:
    for i in range(0, ((w + 63) >> 6) << 3, 8):
        x = ld64(a + i)
        if x:
            return (i << 3) + u32(ctz64(x))
    return w


@export
def w_tof(a: i32, w: i32) -> f64:
    """The nearest double of an unsigned number (ties to even); infinity when it is too large."""
    lead = w_ctlz(a, w)
    bits = w - lead
    if bits == 0:
        return bits_f64(u64(0))
    exp = bits - 1
    if exp > 1023:
        return bits_f64(u64(INF_EXP) << u64(52))
    mant: i64 = 0
    if bits <= 53:
        mant = u64(ld64(a) << u64(53 - bits))
    else:
        low = bits - 53
        mant = w_get64(a, low, 53)
        half = w_get64(a, low - 1, 1)
        if half:
            sticky: i32 = 0
            if low > 1 and w_cttz(a, w) < low - 1:
                sticky = 1
            if sticky or (mant & 1):
                mant = mant + 1
    # A carry out of the mantissa goes into the exponent, up to infinity.
    return bits_f64(u64(u64((u64(exp) + 1022) << u64(52)) + mant))


@export
def w_fromf(d: i32, x: f64, w: i32, is_signed: i32) -> None:
    """Toward zero, saturating, NaN gives 0; w > 64."""
    size = ((w + 63) >> 6) << 3
    memset(d, 0, size)
    bits = f64_bits(x)
    negative = u32(bits >> u64(63))
    e = u32((bits >> u64(52)) & INF_EXP)
    frac = bits & 0xFFFFFFFFFFFFF
    if e == INF_EXP and frac:
        return
    if e < 1023:
        return
    if negative and is_signed == 0:
        return
    exp = e - 1023
    mant = frac | (u64(1) << u64(52))
    limit = w - is_signed
    if exp >= limit or e == INF_EXP:
        if negative:
            w_put64(d, w - 1, u64(1), 1)
        else:
            memset(d, 255, size)
            w_trim(d, limit)
            if limit < w and (limit & 63) == 0:
                st64(d + (limit >> 3), u64(0))
        return
    if exp <= 52:
        st64(d, mant >> u64(52 - exp))
    else:
        w_put64(d, exp - 52, mant, 53)
    if negative:
        w_neg(d, d, w)


@export
def w_setbits(addr: i32, bit: i32, val: i64, width: i32) -> None:
    """Stores `width` <= 64 bits at bit offset `bit` from addr; touches only the bytes that hold them."""
    left = width
    while left > 0:
        p = addr + (bit >> 3)
        s = bit & 7
        k = 8 - s
        k = select(left < k, left, k)
        mask = ((1 << k) - 1) << s
        st8(p, (ld8(p) & u32(~mask)) | ((u32(val << u64(s)) & 255) & mask))
        val = val >> u64(k)
        bit += k
        left -= k


@export
def w_bad(ptr: i64, n: i64, lo: i32) -> i32:
    """Whether n bytes at the low half of a pointer are outside of guest memory, which begins at `lo`."""
    a = ptr & 0xFFFFFFFF
    end = u64(memory_size()) << u64(16)
    if a < u64(lo) or n > end or a + n > end:
        return 1
    return 0
