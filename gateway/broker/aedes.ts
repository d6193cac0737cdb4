// aedes as this broker uses it: CONNECT, keep alive, take-over, PINGREQ, DISCONNECT and the moment of a will.
// Only this file uses members that aedes does not declare; `aedes-members.ts` names and checks them.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { Aedes, type AedesOptions, type Client } from 'aedes'
import { type BrokerMembers, type ClientMembers, checkAedes } from './aedes-members.ts'
import { createNoEmitter } from './no-emitter.ts'
import { createNoStore } from './no-store.ts'
import type { PublishPacket } from './packet.ts'
import type { Packet } from './packets/decode.ts'

export interface ConnectLogin {
  readonly username?: string
  readonly password?: string
}

/** CONNECT, before aedes acts on it. */
export interface ConnectRequest {
  clientId: string
  /** Seconds; 0: none. */
  keepalive: number
  readonly clean: boolean
  readonly protocolVersion: number
  readonly properties?: { readonly topicAliasMaximum?: number }
}

/** What happens to one connection, in the order in which aedes gets there. A method must not throw. */
export interface ConnectionEvents {
  /** CONNECT has come. Its client identifier and keep alive may be changed. */
  onConnect(packet: ConnectRequest): void
  /** Rejects with a `returnCode` of MQTT 3.1.1, which aedes translates for MQTT 5 [MQTT-3.2.2.3]. */
  onLogin(login: ConnectLogin): Promise<void>
  /** CONNACK follows. */
  onAdmitted(): void
  /** CONNACK has been written. Packets that the client sent before are handled after this. */
  onReady(): void
  /** `onFailed` and `onGone` follow. */
  onSilent(): void
  /** The connection cannot go on: its socket failed, or the client broke a rule. */
  onFailed(error: Error): void
  /** The will is due, at the latest when the client's session ends. */
  onWill(will: PublishPacket): void
  /** An admitted connection has ended. A will that is not delayed came before. */
  onGone(): void
}

/** One connection, as far as aedes knows it. */
export class AedesConnection {
  readonly conn: Duplex
  readonly #client: ClientMembers

  constructor(client: Client) {
    this.#client = client as unknown as ClientMembers
    this.conn = client.conn
  }

  /** Empty before CONNECT. */
  get id(): string {
    return this.#client.id ?? ''
  }
  /** 3, 4 or 5; null before CONNECT. */
  get version(): number | null {
    return this.#client.version
  }
  /** true: the session ends with the connection. */
  get clean(): boolean {
    return this.#client.clean
  }
  /** Whether CONNECT asked to discard an earlier session. */
  get cleanStart(): boolean {
    return this.#client._cleanStart
  }
  /** The will of CONNECT; null when the connection has ended. */
  get will(): PublishPacket | null {
    return this.#client._will
  }
  /** Seconds, as asked for by CONNECT or later by DISCONNECT [MQTT5-3.1.2.11.2]. */
  get sessionExpiryInterval(): number {
    return this.#client.sessionExpiryInterval
  }
  /** The largest packet that the client accepts [MQTT5-3.1.2.11.4]. */
  get maxPacketBytes(): number {
    return this.#client.maximumPacketSize ?? Number.POSITIVE_INFINITY
  }
  /** QoS 1 deliveries that the client accepts at a time [MQTT5-3.1.2.11.3]. */
  get receiveMaximum(): number | undefined {
    return this.#client.receiveMaximum
  }
  get connackSent(): boolean {
    return this.#client.connackSent
  }
  /** CONNACK has been written, and packets may be handled. */
  get connected(): boolean {
    return this.#client.connected
  }
  get closed(): boolean {
    return this.#client.closed
  }
  /** The client sent a DISCONNECT that discards its will. */
  get saidGoodbye(): boolean {
    return this.#client._disconnected
  }
  /** Not null after a DISCONNECT was sent, which is the last packet of a connection [MQTT5-3.14.4]. */
  get disconnectReasonCode(): number | null {
    return this.#client.disconnectReasonCode
  }

  /** Any packet shows that the client is there [MQTT-3.1.2-24]. */
  touch(): void {
    if (this.#client._keepaliveInterval > 0) this.#client._keepaliveTimer?.refresh()
  }

  /** MQTT 5: CONNACK announces another keep alive than CONNECT asked for [MQTT5-3.2.2.3.14]. */
  announceKeepAlive(seconds: number): void {
    this.#client._serverKeepAlive = seconds
  }

  /** MQTT 5: CONNACK announces the client identifier [MQTT5-3.2.2.3.7]. */
  announceId(): void {
    this.#client._assignedClientId = this.#client.id
  }

  /** aedes gives all bytes that it reads to `parse`, instead of parsing them. */
  readWith(parse: (bytes: Buffer) => void): void {
    this.#client._parser.parse = parse
  }

  /** aedes handles the packet. */
  handle(packet: Packet): void {
    this.#client._parser.emit('packet', packet)
  }

  onceConnected(listener: () => void): void {
    this.#client.once('connected', listener)
  }

  /** Calls back when the socket has sent what is waiting; closes the connection when that takes too long. */
  waitForDrain(done: () => void): void {
    this.#client.waitForDrain(done)
  }

  /** Ends the connection because of the client. */
  fail(error: Error): void {
    this.#client.emit('error', error)
  }

  /** Ends the connection; MQTT 5 gets the reason code. */
  disconnect(reasonCode: number): void {
    this.#client.disconnect({ reasonCode })
  }

  /**
   * Ends the connection like `disconnect`, but waits until the client closes its side. Destroying
   * the socket while the client still sends would reset it, and the client could lose its last PUBACKs.
   */
  disconnectGently(reasonCode: number): void {
    this.#client.disconnectReasonCode = reasonCode // nothing more is written
    if (this.version === 5) this.conn.end(Buffer.from([0xe0, 1, reasonCode]))
    else this.conn.end()
  }
}

export type AedesLimits = Pick<
  AedesOptions,
  | 'connectTimeout'
  | 'drainTimeout'
  | 'maximumPacketSize'
  | 'pendingSessionsLimit'
  | 'receiveMaximum'
  | 'sessionExpiryIntervalLimit'
  | 'topicAliasMaximum'
>

export interface AedesBroker<T extends ConnectionEvents> {
  readonly closed: boolean
  /** Rejects when the installed version of aedes lacks a member that this file needs. */
  start(): Promise<void>
  /** `events` are called from the next turn of the event loop on. */
  handle(stream: Duplex, events: T): AedesConnection
  /** The admitted connection of a client. */
  find(clientId: string): T | undefined
  stop(): Promise<void>
}

/** aedes keeps the second argument of `handle` with its client. */
const eventsOf = (client: Client) => client.req as unknown as ConnectionEvents

/** `onError` gets errors of aedes that belong to no connection. */
export function createAedes<T extends ConnectionEvents>(limits: AedesLimits, onError: (error: Error) => void): AedesBroker<T> {
  const broker = new Aedes({
    ...limits,
    maxClientsIdLength: 128,
    persistence: createNoStore(),
    mq: createNoEmitter(),
    preConnect(client, packet, done) {
      eventsOf(client).onConnect(packet as ConnectRequest)
      done(null, true)
    },
    authenticate(client, username, password, done) {
      const login = { ...(username != null && { username }), ...(password != null && { password: password.toString() }) }
      eventsOf(client)
        .onLogin(login)
        .then(
          () => done(null, true),
          (error) => done(error, false),
        )
    },
    // Only wills get here. `onWill` publishes them; the error keeps aedes from doing so too.
    authorizePublish(client, will, done) {
      if (client) eventsOf(client).onWill(will as unknown as PublishPacket)
      done(new Error('published by the gateway'))
    },
  })
  const inside = broker as unknown as BrokerMembers
  // A plain object has members such as `constructor`, which are client identifiers like any other.
  inside.clients = Object.create(null) as BrokerMembers['clients']
  // aedes would keep each client with its socket and parser, about 25 KB, until its session expires.
  inside.scheduleSessionExpiry = () => {}
  inside.on('error', onError)
  broker.on('client', (client) => {
    // The client left while aedes admitted it, and aedes would keep it for ever.
    if (client.closed) inside.deleteClient(client.id)
    else eventsOf(client).onAdmitted()
  })
  broker.on('clientReady', (client) => eventsOf(client).onReady())
  broker.on('clientDisconnect', (client) => eventsOf(client).onGone())
  broker.on('keepaliveTimeout', (client) => eventsOf(client).onSilent())
  broker.on('clientError', (client, error) => eventsOf(client).onFailed(error))
  broker.on('connectionError', (client, error) => eventsOf(client).onFailed(error))

  return {
    get closed() {
      return broker.closed
    },
    async start() {
      await checkAedes((options) => new Aedes(options) as unknown as BrokerMembers)
      await broker.listen()
    },
    handle: (stream, events) => new AedesConnection(broker.handle(stream, events as unknown as IncomingMessage)),
    find(clientId) {
      const client = inside.clients[clientId] as unknown as Client | undefined
      return client?.connected ? (eventsOf(client) as T) : undefined
    },
    stop: () => new Promise((resolve) => (broker.closed ? resolve() : broker.close(() => resolve()))),
  }
}
