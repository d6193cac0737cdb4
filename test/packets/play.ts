// Plays one case on a connection of its own, and holds what the server does against the verdict of the oracle.
import type { Case } from './cases/case.ts'
import { type Ack, type Announced, judge, judgeConnect, levelOf, readConnect, type Verdict } from './client-packets.ts'
import { open } from './connection.ts'
import type { ServerPacket } from './server-packets.ts'
import { pingreq } from './write.ts'

export interface Judged extends Case {
  readonly verdict: Verdict
}

export function judged(one: Case, announced: Announced): Judged {
  const verdict = verdictOn(one, announced)
  return { ...one, verdict: one.isRandom ? { ...verdict, codes: [] } : verdict }
}

function verdictOn({ connect, packets }: Case, announced: Announced): Verdict {
  if (!packets) return judgeConnect(connect)
  const verdict = judge(connect, packets, announced)
  return verdict.outcome === 'incomplete' ? verdict : judge(connect, Buffer.concat([packets, pingreq]), announced)
}

interface Seen {
  readonly packets: readonly ServerPacket[]
  readonly isClosed: boolean
}

/** What is wrong; undefined when nothing is. */
export async function play(port: number, { connect, packets, verdict }: Judged): Promise<string | undefined> {
  const level = levelOf(connect)
  const connection = open(port, level === 4 || level === 5 ? level : undefined)
  try {
    connection.write(connect)
    if (!packets && verdict.outcome === 'incomplete') connection.end()
    await connection.when(() => connection.packets.length > 0)
    const connack = connection.packets[0]
    if (connack?.name === 'CONNACK' && connack.reasons![0] === 0) {
      // The answer to a PINGREQ shows that the connection goes on.
      if (verdict.outcome !== 'incomplete') connection.write(Buffer.concat([...(packets ? [packets] : []), pingreq]))
      else {
        if (packets) connection.write(packets)
        connection.end()
      }
      await connection.when(() => isOver(connection.packets, verdict))
    } else {
      if (packets) return `the CONNECT was not served: ${describe(connection)}`
      await connection.when(() => false)
    }
    const tooLarge = sizeLimitOf(connect)
    if (connection.largest > tooLarge) return `sent ${connection.largest} bytes, more than the maximum packet size ${tooLarge}`
    return connection.problem ?? problemOf(verdict, connection, levelOf(connect), !packets)
  } finally {
    connection.destroy()
  }
}

/** Nothing more is to come, other than the close. */
function isOver(packets: readonly ServerPacket[], { outcome, acks }: Verdict): boolean {
  const pongs = packets.filter(({ name }) => name === 'PINGRESP').length
  if (outcome === 'legal') return packets.length > acks.length && acksOf(packets).length >= acks.length
  // The last PINGRESP answers the PINGREQ that must not be reached.
  return outcome !== 'incomplete' && pongs > acks.filter(({ name }) => name === 'PINGRESP').length
}

const acksOf = (packets: readonly ServerPacket[]) => packets.filter(({ name }) => !['CONNACK', 'PUBLISH', 'DISCONNECT'].includes(name))

function problemOf(verdict: Verdict, seen: Seen, level: number | undefined, isFirst: boolean): string | undefined {
  const wrong =
    isFirst && seen.packets[0]?.name !== 'CONNACK'
      ? problemBeforeConnack(verdict, seen, level)
      : problemAfter(verdict, seen, level, isFirst)
  return wrong && `${wrong} [${verdict.clause}]; got ${describe(seen)}`
}

/** The server closed without a CONNACK, or did nothing. */
function problemBeforeConnack({ outcome, codes }: Verdict, { packets, isClosed }: Seen, level: number | undefined): string | undefined {
  if (outcome === 'legal') return 'expected a CONNACK'
  if (!isClosed) return 'expected a close'
  if (packets.length > 0) return 'expected a CONNACK or nothing'
  // MQTT 5 is told why, where its CONNECT can be recognised.
  return outcome === 'refused' && level === 5 && codes.length > 0 ? `expected a CONNACK with ${listed(codes)}` : undefined
}

function problemAfter(verdict: Verdict, seen: Seen, level: number | undefined, isFirst: boolean): string | undefined {
  const { outcome, codes, acks } = verdict
  const refusal = seen.packets.find(({ name, reasons }) => name === 'DISCONNECT' || (name === 'CONNACK' && reasons![0]! > 0))
  const code = refusal?.reasons?.[0]
  const unexpected = outcome === 'open' ? undefined : acksOf(seen.packets).find((packet) => !acks.some((ack) => matches(packet, ack)))
  if (unexpected) return `unexpected ${unexpected.name}`
  switch (outcome) {
    case 'legal': {
      if (refusal || seen.isClosed) return 'expected to be served'
      const missing = acks.find((ack) => !seen.packets.some((packet) => matches(packet, ack)))
      return missing && `expected ${missing.name}`
    }
    case 'refused':
      if (!seen.isClosed) return `expected a close${codes.length > 0 ? ` with ${listed(codes)}` : ''}`
      if (level !== 5) return undefined
      if (code === undefined) return `expected ${listed(codes)}`
      return codes.length === 0 || codes.includes(code) ? undefined : `expected ${listed(codes)}`
    case 'ends':
      if (!seen.isClosed) return 'expected a close'
      return refusal && 'expected a close without DISCONNECT'
    case 'incomplete':
      return seen.isClosed ? undefined : 'expected a close after the half-close'
    case 'open':
      // A CONNACK is the answer to a CONNECT; bytes after it may have swallowed the PINGREQ.
      return isFirst || seen.isClosed || acksOf(seen.packets).length > 0 ? undefined : 'expected an answer or a close'
  }
}

function matches(packet: ServerPacket, { name, packetId, reasons }: Ack): boolean {
  if (packet.name !== name || packet.packetId !== packetId) return false
  return !reasons || (packet.reasons!.length === reasons.length && reasons.every((allowed, i) => allowed.includes(packet.reasons![i]!)))
}

const listed = (codes: readonly number[]) =>
  codes.length === 0 ? 'a reason code' : codes.map((code) => `0x${code.toString(16)}`).join(' or ')

function describe({ packets, isClosed }: Seen): string {
  const names = packets.map(({ name, reasons }) => `${name}${reasons ? `(${reasons.map((code) => code.toString(16)).join()})` : ''}`)
  return [...names, isClosed ? 'close' : 'no close'].join(', ')
}

function sizeLimitOf(connect: Buffer): number {
  try {
    return readConnect(connect).maximumPacketSize ?? Number.POSITIVE_INFINITY
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
