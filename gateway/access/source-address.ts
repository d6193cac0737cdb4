// Which addresses count as one source: an IPv4 address, or a /64 of IPv6, which is what one subscriber gets.
import { isIPv4, isIPv6 } from 'node:net'

/** The key of a source in limits. `address` is undefined for callers without a socket. */
export function sourceKeyOf(address = 'local'): string {
  if (isIPv4(address) || !isIPv6(address)) return address
  const groups = groupsOf(address)
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  if (mapped) return [groups[6]! >> 8, groups[6]! & 0xff, groups[7]! >> 8, groups[7]! & 0xff].join('.')
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`
}

/** The eight groups of a valid IPv6 address. */
function groupsOf(address: string): readonly number[] {
  const [plain = ''] = address.split('%', 1)
  const hex = plain.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => `${pair(a, b)}:${pair(c, d)}`)
  const [head = '', tail] = hex.split('::')
  const left = numbersIn(head)
  if (tail === undefined) return left
  const right = numbersIn(tail)
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
}

const pair = (high: string, low: string) => (Number(high) * 256 + Number(low)).toString(16)

const numbersIn = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)))
