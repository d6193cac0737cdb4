// MD2 [RFC 1319], which OpenSSL no longer has and AWS IoT SQL still does.

// "Digits of pi": the RFC's substitution table, made by the shuffle that made the original.
const table = shuffle()

/** Lower-case hexadecimal digits of the hash of the text's UTF-8. */
export function md2(text: string): string {
  const source = Buffer.from(text)
  const padding = 16 - (source.length % 16)
  const padded = Buffer.concat([source, Buffer.alloc(padding, padding)])
  const state = Buffer.alloc(48)
  const blocks = Buffer.concat([padded, checksum(padded)])
  for (let offset = 0; offset < blocks.length; offset += 16) absorb(state, blocks.subarray(offset, offset + 16))
  return state.toString('hex', 0, 16)
}

function absorb(state: Buffer, block: Buffer): void {
  for (let i = 0; i < 16; i++) {
    state[16 + i] = block[i]!
    state[32 + i] = block[i]! ^ state[i]!
  }
  let last = 0
  for (let round = 0; round < 18; round++) {
    for (let i = 0; i < 48; i++) {
      last = state[i]! ^ table[last]!
      state[i] = last
    }
    last = (last + round) % 256
  }
}

function checksum(padded: Buffer): Buffer {
  const sum = Buffer.alloc(16)
  let last = 0
  for (let i = 0; i < padded.length; i++) {
    const at = i % 16
    last = sum[at]! ^ table[padded[i]! ^ last]!
    sum[at] = last
  }
  return sum
}

/** A Fisher-Yates shuffle of 0 … 255 whose random numbers are the decimal digits of pi. */
function shuffle(): Uint8Array {
  const digits = piDigits(722)
  let used = 0
  const below = (limit: number): number => {
    const [base, count] = limit > 100 ? [1000, 3] : limit > 10 ? [100, 2] : [10, 1]
    for (;;) {
      const value = Number(digits.slice(used, used + count))
      used += count
      if (value < limit * Math.floor(base / limit)) return value % limit
    }
  }
  const values = Uint8Array.from({ length: 256 }, (_, i) => i)
  for (let i = 2; i <= 256; i++) {
    const j = below(i)
    const other = values[j]!
    values[j] = values[i - 1]!
    values[i - 1] = other
  }
  return values
}

/** `3141…`: Machin's formula in whole numbers. */
function piDigits(count: number): string {
  const unit = 10n ** BigInt(count + 10)
  const arctan = (inverse: bigint): bigint => {
    let term = unit / inverse
    let sum = term
    for (let n = 3n, sign = -1n; term > 0n; n += 2n, sign = -sign) {
      term /= inverse * inverse
      sum += (sign * term) / n
    }
    return sum
  }
  return String(4n * (4n * arctan(5n) - arctan(239n))).slice(0, count)
}
