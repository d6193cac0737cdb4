// The oracle: reads what a client sends as the specification says, and tells what a server must do with it.
import { endOfPacket, Illegal, noLength, Reader, type ReadProperty } from './reader.ts'
import { clientReasons, flagsOf, malformed, type PacketName, packetNames, protocolError, serverOnly } from './spec.ts'
import { variable } from './write.ts'

export interface Ack {
  readonly name: PacketName
  readonly packetId?: number
  /** The reason codes that are allowed, for each answer in it. */
  readonly reasons?: readonly (readonly number[])[]
}

/** A message that other clients get. */
export interface Forwarded {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: number
  readonly properties: readonly ReadProperty[]
}

export interface Verdict {
  /**
   * `legal`: served, and the connection goes on. `refused`: the connection ends, MQTT 5 is told one of `codes`, or any where
   * there are none. `ends`: the client asked for the end. `incomplete`: the last packet never arrives whole.
   * `open`: the specification leaves it to the server to serve or to refuse.
   */
  readonly outcome: 'legal' | 'refused' | 'ends' | 'incomplete' | 'open'
  readonly codes: readonly number[]
  readonly clause: string
  /** What must be acknowledged, up to the packet that is refused. */
  readonly acks: readonly Ack[]
  readonly forwarded: readonly Forwarded[]
  /** What other clients may get, and may not. */
  readonly optional: readonly Forwarded[]
}

/** What a server has announced in its CONNACK. */
export interface Announced {
  readonly topicAliasMaximum: number
}

interface State {
  readonly version: 4 | 5
  readonly announced: Announced
  readonly aliases: Map<number, string>
  readonly sessionExpiry: number
}

/** What a packet brings about. */
interface Effect {
  readonly ack?: Ack
  readonly forwarded?: Forwarded
  readonly optional?: Forwarded
  readonly ends?: true
  /** Why the server may serve it or refuse it. */
  readonly open?: string
}

const succeeds = [0x00, 0x10]
const refusals = [0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e]
const topicInvalid = 0x90
const maxQos = 1

/** Judges what follows a CONNECT. */
export function judge(connect: Buffer, stream: Buffer, announced: Announced): Verdict {
  const { version, sessionExpiry } = readConnect(connect)
  const state: State = { version, announced, aliases: new Map(), sessionExpiry }
  const acks: Ack[] = []
  const forwarded: Forwarded[] = []
  const optional: Forwarded[] = []
  const verdict = (outcome: Verdict['outcome'], clause: string, codes: readonly number[] = []): Verdict => {
    // A server may end a connection before it has forwarded what came first.
    const messages = outcome === 'legal' ? { forwarded, optional } : { forwarded: [], optional: [...forwarded, ...optional] }
    return { outcome, clause, codes, acks, ...messages }
  }
  let rest = stream
  try {
    while (rest.length > 0) {
      const end = endOfPacket(rest)
      if (end === undefined) return verdict('incomplete', 'MQTT5-2.1.4')
      const effect = judgePacket(rest.subarray(0, end), state)
      rest = rest.subarray(end)
      if (effect.ack) acks.push(effect.ack)
      if (effect.forwarded) forwarded.push(effect.forwarded)
      if (effect.optional) optional.push(effect.optional)
      if (effect.ends) return verdict('ends', 'MQTT5-3.14.4')
      if (effect.open) return verdict('open', effect.open)
    }
  } catch (error) {
    if (!(error instanceof Illegal)) throw error
    // A server may look first at the type, and then at the length.
    const codes = isUnexpected(packetNames[rest[0]! >> 4]) ? [protocolError] : []
    return verdict('refused', error.clause, [...new Set([...error.codes, ...codes])])
  }
  return verdict('legal', 'MQTT5-4')
}

/** Judges a CONNECT, which the server answers before anything follows. */
export function judgeConnect(bytes: Buffer): Verdict {
  const nothing = { acks: [], forwarded: [], optional: [], codes: [] }
  try {
    const end = endOfPacket(bytes)
    if (end === undefined) return { ...nothing, outcome: 'incomplete', clause: 'MQTT5-2.1.4' }
    const { open, will } = readConnect(bytes.subarray(0, end))
    const wills = will ? [will] : []
    if (open) return { ...nothing, optional: wills, outcome: 'open', clause: open }
    // What follows may be anything, and is looked at before or after the CONNACK.
    if (end < bytes.length) return { ...nothing, optional: wills, outcome: 'incomplete', clause: 'MQTT5-3.1.4' }
    return { ...nothing, forwarded: wills, acks: [{ name: 'PINGRESP' }], outcome: 'legal', clause: 'MQTT5-3.1.4' }
  } catch (error) {
    if (!(error instanceof Illegal)) throw error
    const codes = error.clause === noLength ? [] : error.codes
    return { ...nothing, outcome: 'refused', clause: error.clause, codes }
  }
}

/** The level that a CONNECT names, as far as one can tell. */
export function levelOf(connect: Buffer): number | undefined {
  const at = connect.subarray(0, 12).indexOf('MQTT')
  return at < 0 ? undefined : connect[at + 4]
}

interface Connect {
  readonly version: 4 | 5
  readonly sessionExpiry: number
  readonly maximumPacketSize?: number
  readonly will?: Forwarded
  readonly open?: string
}

const notFewest = 'MQTT 3.1.1 does not ask for the fewest bytes'

/** Whether the remaining length is in more bytes than it needs, which MQTT 5 forbids. */
function readLength(reader: Reader, version: number): boolean {
  const start = reader.at
  const length = reader.variable('remaining length', version === 5)
  return reader.at - start > variable(length).length
}

const illegal = (clause: string, what: string, ...codes: number[]) => new Illegal(codes, clause, what)

/** Throws Illegal. */
export function readConnect(bytes: Buffer): Connect {
  if (bytes[0]! >> 4 !== 1) throw new Illegal([], 'MQTT-3.1.0-1', 'the first packet is no CONNECT')
  const reader = new Reader(bytes)
  reader.at = 1
  const isLong = readLength(reader, levelOf(bytes) ?? 4)
  if (bytes[0]! !== 0x10) throw new Illegal([], 'MQTT5-2.1.3', 'CONNECT has flags')
  const name = reader.binary('protocol name').toString('latin1')
  const level = reader.byte('protocol level')
  if (name === 'MQIsdp' && level === 3) return { version: 4, sessionExpiry: 0, open: 'MQTT 3.1 is not required' }
  if (name === 'MQTT' && (level === 0x84 || level === 0x85)) return { version: 4, sessionExpiry: 0, open: 'bridges are not specified' }
  if (name !== 'MQTT') throw new Illegal([], 'MQTT-3.1.2-1', `protocol name ${name}`)
  if (level !== 4 && level !== 5) throw illegal('MQTT-3.1.2-2', `protocol level ${level}`, 0x84)
  const fields = readFields(reader, level)
  return isLong ? { open: notFewest, ...fields } : fields
}

function readFields(reader: Reader, version: 4 | 5): Connect {
  const flags = reader.byte('connect flags')
  const has = (bit: number) => (flags & bit) > 0
  const willQos = (flags >> 3) & 3
  if (has(1)) throw illegal('MQTT-3.1.2-3', 'reserved connect flag', malformed)
  if (!has(4) && willQos > 0) throw illegal('MQTT-3.1.2-11', 'will QoS without will', malformed, protocolError)
  if (!has(4) && has(32)) throw illegal('MQTT-3.1.2-13', 'will retain without will', malformed, protocolError)
  if (willQos === 3) throw illegal('MQTT-3.1.2-12', 'will QoS 3', malformed)
  if (version === 4 && has(64) && !has(128)) throw illegal('MQTT311-3.1.2-22', 'password without user name')
  reader.two('keep alive')
  const properties = version === 5 ? reader.properties('CONNECT', 'client') : []
  const clientId = reader.string('client id')
  const will = has(4) ? readWill(reader, version, willQos) : undefined
  if (has(128)) reader.string('user name')
  if (has(64)) reader.binary('password')
  reader.end('CONNECT')
  const number = (id: number) => properties.find(([other]) => other === id)?.[1].readUIntBE(0, 4)
  if (clientId === '' && version === 4 && !has(2)) throw illegal('MQTT-3.1.3-8', 'no client id and no clean session', 2)
  /** A server may look first at who it is. */
  const login = has(128) || has(64) ? [0x86, 0x87] : []
  const method = properties.some(([id]) => id === 0x15)
  if (!method && properties.some(([id]) => id === 0x16)) throw illegal('MQTT5-3.1.2.11.10', 'data without method', protocolError)
  if (method) throw illegal('MQTT-4.12.0-1', 'authentication method that the server does not have', 0x8c, 0x87, ...login)
  if (will && willQos > maxQos) throw illegal('MQTT-3.2.2-12', 'will QoS above the maximum', 0x9b, ...login)
  const maximumPacketSize = number(0x27)
  const open =
    (reader.doubtful && 'MQTT5-1.5.4') ||
    (!/^[\w-]{0,64}$/.test(clientId) && 'MQTT-3.1.3-5: only letters and digits must be taken') ||
    (has(128) && 'the server decides about names and passwords') ||
    (has(64) && 'the server decides about names and passwords') ||
    (maximumPacketSize !== undefined && maximumPacketSize < 200 && 'MQTT-3.1.2-24: the CONNACK may not fit') ||
    (will?.topic.startsWith('$') && 'MQTT5-4.7.2')
  return {
    ...{ version, sessionExpiry: number(0x11) ?? (version === 4 && !has(2) ? 0xffffffff : 0) },
    ...(maximumPacketSize === undefined ? {} : { maximumPacketSize }),
    ...(will ? { will } : {}),
    ...(open ? { open } : {}),
  }
}

function readWill(reader: Reader, version: 4 | 5, qos: number): Forwarded {
  const properties = version === 5 ? reader.properties('will', 'client') : []
  const topic = reader.string('will topic')
  checkTopic(topic, 'MQTT5-3.1.3.3')
  checkResponseTopic(properties)
  return { topic, qos, properties: properties.filter(([id]) => id !== 0x18), payload: reader.binary('will payload') }
}

function checkTopic(topic: string, clause: string): void {
  if (topic === '') throw illegal('MQTT-4.7.3-1', 'topic is empty', malformed, protocolError, topicInvalid)
  if (/[+#]/.test(topic)) throw illegal(clause, 'topic has a wildcard', malformed, protocolError, topicInvalid)
}

function checkResponseTopic(properties: readonly ReadProperty[]): void {
  const topic = properties.find(([id]) => id === 0x08)?.[1].subarray(2)
  if (topic !== undefined) checkTopic(topic.toString(), 'MQTT-3.3.2-14')
}

function judgePacket(bytes: Buffer, state: State): Effect {
  const name = packetNames[bytes[0]! >> 4]
  const flags = bytes[0]! & 15
  if (name === undefined || (name === 'AUTH' && state.version === 4)) {
    throw illegal('MQTT5-2.1.2', 'a reserved packet type', malformed, protocolError)
  }
  if (name !== 'PUBLISH' && flags !== flagsOf(name)) throw illegal('MQTT5-2.1.3', `${name} has flags ${flags}`, malformed)
  const reader = new Reader(bytes)
  reader.at = 1
  const isLong = readLength(reader, state.version)
  const effect = judges[name](reader, state, flags)
  reader.end(name)
  if (!reader.doubtful && !isLong) return effect
  const { forwarded, ...other } = effect
  return { open: isLong ? notFewest : 'MQTT5-1.5.4', ...other, ...(forwarded ? { optional: forwarded } : {}) }
}

/** No client may send it after its CONNECT, here where none begins an enhanced authentication. */
const isUnexpected = (name: PacketName | undefined) => name === undefined || serverOnly.has(name) || name === 'CONNECT' || name === 'AUTH'

type Judge = (reader: Reader, state: State, flags: number) => Effect

/** Only a server sends it. A server may look at its bytes first, and find more that is wrong. */
const unexpected =
  (clause: string): Judge =>
  ({ left }) => {
    throw illegal(clause, 'unexpected packet', protocolError, ...(left > 0 ? [malformed] : []))
  }

function packetIdOf(reader: Reader): number {
  const packetId = reader.two('packet identifier')
  if (packetId === 0) throw illegal('MQTT-2.2.1-3', 'packet identifier 0', protocolError)
  return packetId
}

/** PUBACK and its kind. None of them belongs to anything here: the server has sent no PUBLISH. */
const answer =
  (name: PacketName, effect: Effect): Judge =>
  (reader, { version }) => {
    const packetId = reader.two('packet identifier')
    if (packetId === 0) throw illegal('MQTT-2.2.1-4', 'packet identifier 0', malformed, protocolError)
    if (version === 5 && reader.left > 0) {
      const reason = reader.byte('reason code')
      if (!clientReasons[name]!.includes(reason)) throw illegal('MQTT5-2.4', `reason code ${reason}`, malformed, protocolError)
      if (reader.left > 0) reader.properties(name, 'client')
    }
    return effect
  }

const judges: Readonly<Record<PacketName, Judge>> = {
  CONNECT: unexpected('MQTT-3.1.0-2'),
  CONNACK: unexpected('MQTT5-2.1.2'),
  PUBLISH: judgePublish,
  PUBACK: answer('PUBACK', {}),
  PUBREC: answer('PUBREC', { open: 'MQTT5-4.3.3: an identifier that is not in use' }),
  PUBREL: answer('PUBREL', { open: 'MQTT5-4.3.3: an identifier that is not in use' }),
  PUBCOMP: answer('PUBCOMP', { open: 'MQTT5-4.3.3: an identifier that is not in use' }),
  SUBSCRIBE: judgeSubscribe,
  SUBACK: unexpected('MQTT5-2.1.2'),
  UNSUBSCRIBE(reader, { version }) {
    const packetId = packetIdOf(reader)
    if (version === 5) reader.properties('UNSUBSCRIBE', 'client')
    if (reader.left === 0) throw illegal('MQTT-3.10.3-2', 'no filter', protocolError)
    const filters: string[] = []
    while (reader.left > 0) filters.push(reader.string('filter'))
    const reasons = version === 4 ? [] : filters.map(() => [0x00, 0x11])
    const broken = filters.some((filter) => !isFilter(filter))
    return { ...(broken ? { open: 'MQTT5-4.7.1' } : { ack: { name: 'UNSUBACK', packetId, reasons } }) }
  },
  UNSUBACK: unexpected('MQTT5-2.1.2'),
  PINGREQ: () => ({ ack: { name: 'PINGRESP' } }),
  PINGRESP: unexpected('MQTT5-2.1.2'),
  DISCONNECT(reader, { version, sessionExpiry }) {
    if (version === 4 || reader.left === 0) return { ends: true }
    const reason = reader.byte('reason code')
    if (!clientReasons.DISCONNECT!.includes(reason)) throw illegal('MQTT5-3.14.2.1', `reason code ${reason}`, malformed, protocolError)
    const properties = reader.left > 0 ? reader.properties('DISCONNECT', 'client') : []
    const expiry = properties.find(([id]) => id === 0x11)?.[1].readUInt32BE()
    if (expiry && sessionExpiry === 0) throw illegal('MQTT5-3.14.2.2.2', 'session expiry raised from 0', protocolError)
    return { ends: true }
  },
  // No client here begins an enhanced authentication [MQTT-4.12.0-7].
  AUTH: () => {
    throw illegal('MQTT-4.12.0-7', 'AUTH without an authentication method', malformed, protocolError)
  },
}

function judgePublish(reader: Reader, { version, announced, aliases }: State, flags: number): Effect {
  const qos = (flags >> 1) & 3
  if (qos === 3) throw illegal('MQTT-3.3.1-4', 'QoS 3', malformed)
  if (qos === 0 && flags & 8) throw illegal('MQTT-3.3.1-2', 'DUP at QoS 0', malformed, protocolError)
  const name = reader.string('topic')
  const packetId = qos > 0 ? packetIdOf(reader) : undefined
  const properties = version === 5 ? reader.properties('PUBLISH', 'client') : []
  const alias = properties.find(([id]) => id === 0x23)?.[1].readUInt16BE()
  if (alias === undefined || name !== '') checkEmptyOrWild(name)
  if (alias !== undefined && alias > announced.topicAliasMaximum) throw illegal('MQTT-3.3.2-9', `topic alias ${alias}`, 0x94)
  if (alias !== undefined && name !== '') aliases.set(alias, name)
  const topic = name === '' ? aliases.get(alias!) : name
  if (topic === undefined) throw illegal('MQTT5-3.3.2.3.4', `unknown topic alias ${alias}`, protocolError, 0x94)
  checkResponseTopic(properties)
  if (qos > maxQos) throw illegal('MQTT-3.2.2-11', 'QoS above the maximum', 0x9b)
  const payload = reader.take(reader.left, 'payload')
  if (topic.startsWith('$')) return { open: 'MQTT5-4.7.2' }
  const forwarded = { topic, payload, qos, properties: properties.filter(([id]) => id !== 0x23) }
  const textual = properties.some(([id, value]) => id === 0x01 && value[0] === 1)
  if (textual && !isUtf8(payload)) return { open: 'MQTT5-3.3.2.3.2: a receiver may check the payload', optional: forwarded }
  return { forwarded, ...(packetId === undefined ? {} : { ack: { name: 'PUBACK', packetId, reasons: [succeeds] } }) }
}

/** An empty topic without an alias has a clause of its own [MQTT5-3.3.2.1]. */
function checkEmptyOrWild(topic: string): void {
  if (topic === '') throw illegal('MQTT5-3.3.2.1', 'topic is empty', protocolError, malformed, topicInvalid)
  checkTopic(topic, 'MQTT-3.3.2-2')
}

function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}

function judgeSubscribe(reader: Reader, { version }: State): Effect {
  const packetId = packetIdOf(reader)
  const properties = version === 5 ? reader.properties('SUBSCRIBE', 'client') : []
  if (reader.left === 0) throw illegal('MQTT-3.8.3-2', 'no filter', protocolError)
  const reasons: number[][] = []
  let broken = false
  while (reader.left > 0) {
    const filter = reader.string('filter')
    const options = reader.byte('options')
    checkOptions(filter, options, version)
    broken ||= !isFilter(filter) || isReserved(filter)
    const qos = options & 3
    reasons.push(qos > maxQos ? [0, 1, 2, ...refusals] : [...Array(qos + 1).keys()])
  }
  if (properties.some(([id]) => id === 0x0b)) throw illegal('MQTT5-3.2.2.3.12', 'subscription identifiers are not available', 0xa1)
  if (broken) return { open: 'MQTT5-4.7.1' }
  return { ack: { name: 'SUBACK', packetId, reasons } }
}

function checkOptions(filter: string, options: number, version: 4 | 5): void {
  if ((options & 3) === 3) throw illegal('MQTT5-3.8.3.1', 'QoS 3', malformed, protocolError)
  if (options & (version === 5 ? 0xc0 : 0xfc)) throw illegal('MQTT-3.8.3-5', 'reserved options', malformed)
  if ((options & 0x30) === 0x30) throw illegal('MQTT5-3.8.3.1', 'retain handling 3', malformed, protocolError)
  if (options & 4 && filter.startsWith('$share/')) throw illegal('MQTT-3.8.3-4', 'no local on a shared subscription', protocolError)
}

/** A server may keep topics that begin with `$` to itself [MQTT5-4.7.2]. */
const isReserved = (filter: string) => filter.startsWith('$') && !filter.startsWith('$share/')

/** [MQTT5-4.7.1, 4.8.2] */
function isFilter(filter: string): boolean {
  const shared = /^\$share\/([^/]*)(?:\/(.*))?$/s.exec(filter)
  if (shared) return /^[^+#]+$/.test(shared[1]!) && shared[2] !== undefined && isFilter(shared[2])
  if (filter === '' || filter === '$share') return false
  return filter.split('/').every((level, i, levels) => level === '+' || (level === '#' && i === levels.length - 1) || !/[+#]/.test(level))
}
