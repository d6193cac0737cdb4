// Plays one sequence on one connection, and compares what the broker answers with what the sequence expects.
import { connect, type Socket } from 'node:net'
import { splitPackets } from '../packets/reader.ts'
import { decodeServerPacket, type ServerPacket } from '../packets/server-packets.ts'
import type { PublishStep, Sequence } from './sequences.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** From the best to the worst; `mosquitto.ts --help` says what each means. */
export const scores = ['exact', 'meaning', 'lenient', 'none'] as const

export type Score = (typeof scores)[number]

export interface Result {
  readonly score: Score
  readonly reason?: string
}

const worse = (a: Score, b: Score): Score => (scores.indexOf(a) > scores.indexOf(b) ? a : b)

/** A case that does not go on as expected. */
class Difference extends Error {}

const pingreq = Buffer.from('c000', 'hex')
const pingresp = Buffer.from('d000', 'hex')

export async function play(sequence: Sequence, address: Address, waitMs: number): Promise<Result> {
  const peer = await open(address, waitMs)
  const { version } = sequence
  let score: Score = 'exact'
  /** Packet identifiers that the sequence expects of the broker, and those that it chose. */
  const chosen = new Map<number, number>()
  const receive = async (expected: Buffer) => {
    for (const packet of splitPackets(expected).packets) {
      const actual = await peer.next()
      if (actual === undefined && !(peer.isClosed() && refuses(decode(packet, version)))) {
        throw new Difference(`expected ${packet.toString('hex')}, got ${peer.isClosed() ? 'a close' : 'nothing'}`)
      }
      score = worse(score, actual === undefined ? 'lenient' : compare(packet, actual, version, chosen))
    }
  }
  try {
    for (const step of sequence.steps) {
      if (step.type === 'publish') await publish(step, address, waitMs)
      else if (step.type === 'send') peer.send(withChosenId(step.packet, chosen))
      else await receive(step.packet)
    }
    if (sequence.closes) score = worse(score, await expectClose(peer, version))
    else {
      peer.send(pingreq)
      await receive(pingresp)
    }
    return { score }
  } catch (error) {
    if (!(error instanceof Difference)) throw error
    return { score: 'none', reason: error.message }
  } finally {
    peer.destroy()
  }
}

/** Whether somebody listens there. */
export function listens({ host, port }: Address): Promise<boolean> {
  const socket = connect(port, host)
  const open = new Promise<boolean>((resolve) => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)))
  return open.finally(() => socket.destroy())
}

interface Peer {
  send(bytes: Buffer): void
  /** The next packet; undefined when none came in time. */
  next(): Promise<Buffer | undefined>
  isClosed(): boolean
  destroy(): void
}

async function open({ host, port }: Address, waitMs: number): Promise<Peer> {
  const socket: Socket = connect(port, host)
  socket.setNoDelay(true)
  let stream: Buffer = Buffer.alloc(0)
  let closed = false
  let wake = () => {}
  socket.on('error', () => {})
  socket.on('data', (bytes) => {
    stream = Buffer.concat([stream, bytes])
    wake()
  })
  socket.on('close', () => {
    closed = true
    wake()
  })
  await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
  const take = () => {
    const [first] = splitPackets(stream).packets
    if (first) stream = stream.subarray(first.length)
    return first
  }
  return {
    send: (bytes) => void socket.write(bytes),
    async next() {
      const until = performance.now() + waitMs
      for (;;) {
        const packet = take()
        const left = until - performance.now()
        if (packet || closed || left <= 0) return packet
        const timer = setTimeout(() => wake(), left)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        clearTimeout(timer)
      }
    },
    isClosed: () => closed,
    destroy: () => void socket.destroy(),
  }
}

/** DISCONNECT, or a CONNACK with an error. */
const refuses = ({ name, reasons }: ServerPacket) => name === 'DISCONNECT' || (name === 'CONNACK' && reasons![0]! > 0)

/** Exact when nothing came before the close. */
async function expectClose(peer: Peer, version: 4 | 5): Promise<Score> {
  const packet = await peer.next()
  if (packet === undefined) {
    if (!peer.isClosed()) throw new Difference('expected a close, got nothing')
    return 'exact'
  }
  if (!refuses(decode(packet, version))) throw new Difference(`expected a close, got ${packet.toString('hex')}`)
  if ((await peer.next()) !== undefined || !peer.isClosed()) throw new Difference(`expected a close after ${packet.toString('hex')}`)
  return 'meaning'
}

function decode(packet: Buffer, version: 4 | 5): ServerPacket {
  try {
    return decodeServerPacket(packet, version)
  } catch (error) {
    throw new Difference(`got ${packet.toString('hex')}: ${(error as Error).message}`)
  }
}

function compare(expected: Buffer, actual: Buffer, version: 4 | 5, chosen: Map<number, number>): Score {
  if (actual.equals(expected)) return 'exact'
  const [left, right] = [decode(expected, version), decode(actual, version)]
  if (left.name === 'PUBLISH' && left.packetId && right.packetId) chosen.set(left.packetId, right.packetId)
  const packetId = left.name === 'PUBLISH' ? undefined : left.packetId
  if (left.name === 'PUBREL') Object.assign(left, { packetId: chosen.get(packetId!) ?? packetId })
  if (meaningOf(left) === meaningOf(right)) return 'meaning'
  if (refuses(left) && refuses(right)) return 'lenient'
  throw new Difference(`expected ${expected.toString('hex')}, got ${actual.toString('hex')}`)
}

/** What the specification fixes. 0x81 and 0x82 count as one, and so do 0x00 and 0x10, "no matching subscribers". */
function meaningOf({ name, packetId, reasons, sessionPresent, qos, retain, dup, topic, payload, properties }: ServerPacket): string {
  const codes = reasons?.map((code) => (code === 0x82 ? 0x81 : code === 0x10 ? 0 : code))
  const kept = name === 'PUBLISH' ? properties?.map(([id, value]) => `${id}:${id === 0x02 ? '' : value.toString('hex')}`).toSorted() : []
  const id = name === 'PUBLISH' ? undefined : packetId
  return JSON.stringify([name, id, codes, sessionPresent, qos, retain, dup, topic, payload?.toString('hex'), kept])
}

/** An acknowledgement of a PUBLISH names the identifier that the broker chose. */
function withChosenId(packet: Buffer, chosen: ReadonlyMap<number, number>): Buffer {
  const type = packet[0]! >> 4
  if (type < 4 || type > 7 || packet.length < 4) return packet
  const id = chosen.get(packet.readUInt16BE(2))
  if (id === undefined) return packet
  const copy = Buffer.from(packet)
  copy.writeUInt16BE(id, 2)
  return copy
}

/** A second client publishes, in MQTT 3.1.1. */
async function publish({ topic, payload, qos }: PublishStep, address: Address, waitMs: number): Promise<void> {
  const peer = await open(address, waitMs)
  const expect = async (hex: string) => {
    const packet = await peer.next()
    if (packet?.toString('hex') !== hex) throw new Difference(`the helper expected ${hex}, got ${packet?.toString('hex') ?? 'nothing'}`)
  }
  try {
    peer.send(Buffer.from('101200044d5154540402003c000668656c706572', 'hex'))
    await expect('20020000')
    const name = Buffer.from(topic)
    const body = Buffer.concat([Buffer.from([0, name.length]), name, Buffer.from(qos > 0 ? [0, 1] : []), Buffer.from(payload)])
    peer.send(Buffer.concat([Buffer.from([0x30 | (qos << 1), body.length]), body]))
    if (qos === 1) await expect('40020001')
    if (qos === 2) {
      await expect('50020001')
      peer.send(Buffer.from('62020001', 'hex'))
      await expect('70020001')
    }
  } finally {
    peer.destroy()
  }
}
