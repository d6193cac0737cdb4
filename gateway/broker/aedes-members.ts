// The members of aedes and mqtt-packet that `aedes.ts` uses. Names with `_`, and some others, are not declared by them.
//
// A broker checks the undeclared members when it starts, so another version of aedes fails at once and by name.
import { type EventEmitter, once } from 'node:events'
import { Duplex } from 'node:stream'
import { createNoEmitter } from './no-emitter.ts'
import { createNoStore } from './no-store.ts'
import type { PublishPacket } from './packet.ts'

export interface ClientMembers extends EventEmitter {
  readonly id: string | null
  readonly conn: Duplex
  readonly version: number | null
  readonly clean: boolean
  readonly connected: boolean
  readonly connackSent: boolean
  readonly closed: boolean
  readonly sessionExpiryInterval: number
  readonly maximumPacketSize: number | undefined
  readonly receiveMaximum: number | undefined
  disconnectReasonCode: number | null
  /** The parser of mqtt-packet. aedes gives it every byte, and listens to it for `packet`. */
  readonly _parser: EventEmitter & { parse(bytes: Buffer): unknown }
  /** 1.5 times the keep alive, in ms. */
  readonly _keepaliveInterval: number
  readonly _keepaliveTimer: { refresh(): unknown } | null
  readonly _will: PublishPacket | null
  readonly _cleanStart: boolean
  readonly _disconnected: boolean
  _serverKeepAlive?: number
  _assignedClientId?: string | null
  disconnect(options: { readonly reasonCode: number }): void
  waitForDrain(done: () => void): void
  close(): void
}

export interface BrokerMembers extends EventEmitter {
  /** By client identifier. */
  clients: Record<string, ClientMembers>
  deleteClient(clientId: string): void
  scheduleSessionExpiry(client: ClientMembers): void
  listen(): Promise<void>
  handle(stream: Duplex, owner: object): ClientMembers
  close(done: () => void): void
}

type Done = (error: null, success: true) => void

/** Options that the check gives to a broker of its own. */
interface ProbeOptions {
  readonly persistence: object
  readonly mq: object
  preConnect(client: object, packet: object, done: Done): void
  authenticate(client: object, username: unknown, password: unknown, done: Done): void
}

const probeTimeoutMs = 5_000

/** Connects a client in memory, and checks all of these members on the way. Rejects where the installed version differs. */
export async function checkAedes(create: (options: ProbeOptions) => BrokerMembers): Promise<void> {
  const written: Buffer[] = []
  const stream = new Duplex({
    read() {},
    write(bytes, _encoding, done) {
      written.push(bytes)
      done()
    },
  })
  const broker = create({
    persistence: createNoStore(),
    mq: createNoEmitter(),
    preConnect(client, _packet, done) {
      Object.assign(client, { _serverKeepAlive: 7 })
      done(null, true)
    },
    authenticate(client, _username, _password, done) {
      Object.assign(client, { _assignedClientId: 'assigned' })
      done(null, true)
    },
  })
  expectMembers(broker, membersOfBroker)
  await broker.listen()
  const client = broker.handle(stream, {})
  try {
    expectMembers(client, membersAtAccept)
    const will = { topic: 'a', payload: Buffer.alloc(0), qos: 0, retain: false } as const
    const more = { protocolId: 'MQTT', protocolVersion: 5, clientId: 'probe', clean: true, keepalive: 9, will } as const
    const ready = once(broker, 'clientReady', { signal: AbortSignal.timeout(probeTimeoutMs) })
    client._parser.parse = () => client._parser.emit('packet', { cmd: 'connect', ...more })
    stream.push('any bytes')
    await ready.catch(() => expectMember(false, 'way to give it a packet'))
    expectMembers(client, membersWhenConnected)
    expectMember(broker.clients.probe === client, 'clients')
    expectMember(Buffer.concat(written).includes(connackProperties), '_serverKeepAlive or _assignedClientId')
  } finally {
    client.close()
    await new Promise<void>((resolve) => broker.close(() => resolve()))
  }
}

/** Assigned client identifier "assigned" and server keep alive 7 [MQTT5-3.2.2.3]. */
const connackProperties = Buffer.concat([Buffer.from([0x12, 0, 8]), Buffer.from('assigned'), Buffer.from([0x13, 0, 7])])

type Members = Readonly<Record<string, (value: unknown) => boolean>>

const isFunction = (value: unknown) => typeof value === 'function'

const membersAtAccept: Members = {
  req: (value) => typeof value === 'object',
  connackSent: (value) => value === false,
  disconnectReasonCode: (value) => value === null,
  version: (value) => value === null,
  _disconnected: (value) => value === false,
  _keepaliveInterval: (value) => typeof value === 'number',
  _parser: (value) => {
    const parser = value as Partial<ClientMembers['_parser']> | undefined
    return typeof parser?.parse === 'function' && parser.listenerCount?.('packet') === 1
  },
  waitForDrain: isFunction,
}

const membersWhenConnected: Members = {
  connackSent: (value) => value === true,
  _cleanStart: (value) => value === true,
  _keepaliveInterval: (value) => (value as number) > 0,
  _keepaliveTimer: (value) => typeof (value as ClientMembers['_keepaliveTimer'])?.refresh === 'function',
  _will: (value) => (value as PublishPacket | null)?.topic === 'a',
}

const membersOfBroker: Members = {
  clients: (value) => typeof value === 'object',
  deleteClient: isFunction,
  scheduleSessionExpiry: isFunction,
}

export function expectMembers(of: object, members: Members): void {
  for (const [name, isExpected] of Object.entries(members)) expectMember(isExpected((of as Record<string, unknown>)[name]), name)
}

function expectMember(found: boolean, name: string): void {
  if (!found) throw new Error(`aedes: this version has no ${name} as the broker needs it; install the version that package.json names`)
}
