// ULIDs: identifiers of messages.
import { createHash } from 'node:crypto'

const base32 = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const pairs = [...base32].flatMap((first) => [...base32].map((second) => first + second))

/** Makes ULIDs that sort in the order they were made, also within one millisecond. `at` saves a look at the clock. */
export function createIds(now: () => number, random: () => number): (at?: number) => string {
  let time = -1
  let prefix = ''
  let low = 0
  /** All but the last two digits: the same for up to 1,024 ids of a millisecond. */
  let stem = ''
  let upper = -1
  return (at = now()) => {
    const fresh = at > time
    if (fresh) {
      time = at
      prefix = encode(at, 10) + encode(Math.floor(random() * 2 ** 40), 8)
      low = Math.floor(random() * 2 ** 39)
    } else {
      low++
    }
    const thousand = Math.floor(low / 1_024)
    if (thousand !== upper || fresh) {
      upper = thousand
      stem = prefix + encode(thousand, 6)
    }
    return stem + pairs[low % 1_024]!
  }
}

function encode(value: number, length: number): string {
  let text = ''
  for (let i = 0; i < length; i++) {
    text = base32[value % 32] + text
    value = Math.floor(value / 32)
  }
  return text
}

/** A ULID with the time of `original` that is the same for every attempt with this key, so a repeated attempt is a recognisable duplicate. */
export function derivedId(original: string, key: string): string {
  const hash = createHash('sha256').update(key).digest()
  let random = ''
  for (let i = 0; i < 16; i++) random += base32[hash[i]! & 31]
  return original.slice(0, 10) + random
}
