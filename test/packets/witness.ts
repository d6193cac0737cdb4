// A neighbour: subscribed to everything, reading strictly. Whatever others send, it must be served, and get only what is legal.
import type { Forwarded } from './client-packets.ts'
import { open } from './connection.ts'
import type { ServerPacket } from './server-packets.ts'
import * as write from './write.ts'

export interface Witness {
  readonly version: 4 | 5
  /** How often each message came. */
  readonly received: ReadonlyMap<string, number>
  /** Resolves when a message with this payload is there, or throws in the end. */
  has(payload: string): Promise<void>
  /** Resolves when all these messages are there, or in the end. */
  hasAll(keys: Iterable<string>): Promise<void>
  /** Why it is no longer served, or what it could not read. */
  problem(): string | undefined
  stop(): void
}

export async function startWitness(port: number, version: 4 | 5): Promise<Witness> {
  const received = new Map<string, number>()
  const payloads = new Set<string>()
  const connection = open(port, version, (packet) => {
    if (packet.name !== 'PUBLISH') return
    const key = keyOf(packet as ServerPacket & Forwarded, version)
    received.set(key, (received.get(key) ?? 0) + 1)
    payloads.add(packet.payload!.toString('latin1'))
    if (packet.packetId) connection.write(write.packet('PUBACK', write.two(packet.packetId)))
  })
  connection.write(write.connect(version, { clientId: `witness-${version}` }))
  await connection.when(() => connection.packets.length > 0)
  connection.write(write.subscribe(version, { filters: [['#', 1]] }))
  await connection.when(() => connection.packets.some(({ name }) => name === 'SUBACK'))
  const problem = () => connection.problem ?? (connection.isClosed ? 'it was disconnected' : undefined)
  return {
    version,
    received,
    problem,
    async has(payload) {
      await connection.when(() => payloads.has(payload))
      if (!payloads.has(payload)) throw new Error(`the witness of MQTT ${version} does not get messages: ${problem() ?? 'none came'}`)
    },
    hasAll: (keys) => connection.when(() => [...keys].every((key) => received.has(key))),
    stop: connection.destroy,
  }
}

/** Topic, payload and properties of a message, as this version sees it. */
export function keyOf({ topic, payload, properties }: Forwarded, version: 4 | 5): string {
  // Message expiry counts down [MQTT-3.3.2-6]. User properties keep their order [MQTT-3.3.2-18].
  const kept = version === 4 ? [] : properties.filter(([id]) => id !== 0x02)
  const user = kept.filter(([id]) => id === 0x26).map(([, value]) => value.toString('hex'))
  const other = kept.filter(([id]) => id !== 0x26).map(([id, value]) => `${id}=${value.toString('hex')}`)
  return JSON.stringify([topic, payload.toString('hex'), other.toSorted(), user])
}
