// Seeded nonsense: legal packets with some bytes changed, and bytes of any kind. The oracle tells what each is worth.
import { createRandom } from '../../../lib/random.ts'
import { properties } from '../spec.ts'
import * as write from '../write.ts'
import type { Case } from './case.ts'
import { clientPackets } from './headers.ts'

export function randomCases(seed: string | number, count: number): readonly Case[] {
  const random = createRandom(seed, 'packets')
  const below = (n: number) => Math.floor(random() * n)
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!

  /** Changes, removes, adds or repeats bytes; the remaining length is mostly put right again. */
  const mutate = (bytes: Buffer): Buffer => {
    let copy: Buffer = Buffer.from(bytes)
    for (let n = below(3); n >= 0 && copy.length > 0; n--) {
      const at = below(copy.length)
      const ways = [
        () => Buffer.concat([copy.subarray(0, at), Buffer.from([pick([0, 1, 2, 0x7f, 0x80, 0xff, below(256)])]), copy.subarray(at + 1)]),
        () => Buffer.concat([copy.subarray(0, at), copy.subarray(at + 1 + below(4))]),
        () => Buffer.concat([copy.subarray(0, at), Buffer.from([below(256)]), copy.subarray(at)]),
        () => Buffer.concat([copy.subarray(0, at), copy.subarray(at, at + 1 + below(8)), copy.subarray(at)]),
        () => flip(copy, at, 1 << below(8)),
      ]
      copy = pick(ways)()
    }
    if (copy.length < 2 || below(5) === 0) return copy
    return Buffer.concat([copy.subarray(0, 1), write.variable(copy.length - 2), copy.subarray(2)])
  }

  const someProperties = () => {
    const some = Array.from({ length: below(4) }, () => pick(properties))
    return Buffer.concat(some.map((property) => write.property(property.id, write.exampleOf(property))))
  }
  const somePacket = (version: 4 | 5): Buffer => {
    const section = version === 5 ? someProperties() : Buffer.alloc(0)
    return pick([
      () => write.publish(version, { qos: below(2), properties: section }),
      () => write.publish(version, { qos: 1, topic: pick(['a', 'a/b/c', '\u00e9', '$x/y']), properties: section }),
      () => write.subscribe(version, { properties: section, filters: [[pick(['s/1', 's/+', '$share/g/s']), below(3)]] }),
      () => write.unsubscribe(version, { properties: section }),
      () => pick(clientPackets(version)),
    ])()
  }
  const bytesOf = (length: number) => Buffer.from(Array.from({ length }, () => below(256)))

  return Array.from({ length: count }, (_, i): Case => {
    const version = pick([4, 5] as const)
    const name = `seed ${seed}, case ${i}`
    const isRandom = true
    const kind = below(10)
    if (kind === 0) return { name: `${name}: any bytes first`, isRandom, connect: bytesOf(1 + below(40)) }
    if (kind === 1) return { name: `${name}: any bytes`, isRandom, connect: write.connect(version), packets: bytesOf(1 + below(40)) }
    if (kind < 4) {
      const fields = { properties: version === 5 ? someProperties() : Buffer.alloc(0), ...(below(2) && { will: {} }) }
      return { name: `${name}: changed CONNECT`, isRandom, connect: mutate(write.connect(version, fields)) }
    }
    const legal = Array.from({ length: below(3) }, () => write.publish(version))
    return {
      name: `${name}: changed packet`,
      isRandom,
      connect: write.connect(version),
      packets: Buffer.concat([...legal, mutate(somePacket(version))]),
    }
  })
}

function flip(bytes: Buffer, at: number, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at]! ^= bit
  return copy
}
