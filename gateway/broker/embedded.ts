// The broker inside the gateway: aedes, told to acknowledge only what is safely ours. The only file that imports it.
import type { Duplex } from 'node:stream'
import { Aedes, type AedesPublishPacket, type Client, type PublishPacket } from 'aedes'
import type { Clock } from '../../lib/clock.ts'
import type { Access } from '../access/access.ts'
import { codeOf, GatewayError, textOf } from '../errors.ts'
import type { Message, MqttProperties, Source } from '../message.ts'
import type { Observe } from '../observe/observe.ts'
import type { Broker, Ingest, Peer } from './broker.ts'

export interface EmbeddedBrokerOptions {
  readonly ingest: Ingest
  readonly access: Access
  readonly observe: Observe
  readonly clock: Clock
  readonly ids: () => string
  /** Largest packet that is read at all; 146 KB on AWS IoT Core. */
  readonly maxPacketBytes?: number
}

/** A subscriber with more than this unread is closed: one that does not read must not hold the others. */
const maxUnreadBytes = 1024 * 1024
const connectTimeoutMs = 10_000
const drainTimeoutMs = 2_000

/** MQTT 5 reason codes this gateway sends by itself [MQTT5-2.4]. */
const reasons = { serverBusy: 0x89, qosNotSupported: 0x9b } as const

export function createEmbeddedBroker(options: EmbeddedBrokerOptions): Broker {
  const { ingest, access, observe, maxPacketBytes = 149_504 } = options
  const peers = new WeakMap<Duplex, Peer>()
  const sources = new WeakMap<Client, Source>()
  const sourceOf = (client: Client) => {
    const known = sources.get(client)
    if (known) return known
    const peer = peers.get(client.conn)
    const source: Source = {
      clientId: client.id,
      transport: peer?.transport ?? 'mqtt',
      ...(peer?.certificate === undefined ? {} : { principal: peer.certificate }),
      ...(peer?.sourceIp === undefined ? {} : { sourceIp: peer.sourceIp }),
    }
    sources.set(client, source)
    return source
  }

  // A hook that throws or rejects would end the process, so every path of it ends in its callback.
  const broker = new Aedes({
    // mqemitter with a limit stops every delivery behind one subscriber that does not read.
    concurrency: 0,
    drainTimeout: drainTimeoutMs,
    connectTimeout: connectTimeoutMs,
    maxClientsIdLength: 128,
    maximumPacketSize: maxPacketBytes,
    topicAliasMaximum: 8,
    receiveMaximum: 100,
    authorizePublish(client, packet, done) {
      if (!client) return done(null)
      const source = sourceOf(client)
      admit(packet, source, options).then(
        () => done(null),
        (error) => refuse(client, packet, error, done),
      )
    },
    authorizeSubscribe(client, subscription, done) {
      try {
        access.subscribe(sourceOf(client), subscription.topic)
        done(null, subscription)
      } catch (error) {
        observe.record('client.failed', { code: codeOf(error, 'NOT_AUTHORIZED'), clientId: client.id, detail: textOf(error) })
        done(null, null) // SUBACK 0x80 [MQTT-3.9.3-2]
      }
    },
    authorizeForward(client, packet) {
      if (client.conn.writableLength <= maxUnreadBytes) return packet
      observe.record('client.dropped', { clientId: client.id, bytes: client.conn.writableLength })
      client.conn.destroy()
      return null
    },
  })

  /** What happens to a PUBLISH that was not taken: never an acknowledgement that could pass for a success. */
  const refuse = (client: Client, packet: PublishPacket, error: unknown, done: (error?: Error | null) => void) => {
    const code = codeOf(error, 'SPOOL_FAILED')
    if (code === 'QOS_NOT_SUPPORTED') return client.disconnect({ reasonCode: reasons.qosNotSupported })
    const retryable = !(error instanceof GatewayError) || error.retryable
    // QoS 0 promised nothing, so the connection stays; its subscribers still get the message.
    if (retryable && packet.qos === 0) return done(null)
    // A PUBACK with any reason code ends the exchange in MQTT 5, so a device that should try again is disconnected instead.
    if (retryable) return client.disconnect({ reasonCode: reasons.serverBusy })
    done(new Error(code))
  }

  broker.on('clientReady', (client) => observe.record('client.connected', { clientId: client.id, transport: sourceOf(client).transport }))
  broker.on('clientDisconnect', (client) =>
    observe.record('client.disconnected', { clientId: client.id, transport: sourceOf(client).transport }),
  )
  const failed = (client: Client, error: Error) =>
    observe.record('client.failed', { code: 'PROTOCOL', clientId: client.id ?? '', detail: error.message })
  broker.on('clientError', failed)
  broker.on('connectionError', failed)

  return {
    start: () => broker.listen(),
    accept(stream, peer) {
      peers.set(stream, peer)
      broker.handle(stream)
    },
    async publish(message) {
      await ingest(message)
      await new Promise<void>((resolve, reject) => {
        broker.publish(toPacket(message), (error) => (error ? reject(error) : resolve()))
      })
    },
    stop: () => new Promise((resolve) => (broker.closed ? resolve() : broker.close(() => resolve()))),
  }
}

async function admit(packet: PublishPacket, source: Source, { access, ingest, clock, ids, observe }: EmbeddedBrokerOptions): Promise<void> {
  const { topic, qos } = packet
  const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload
  try {
    access.publish(source, { topic, qos, bytes: payload.length })
  } catch (error) {
    observe.record('message.refused', { code: codeOf(error, 'NOT_AUTHORIZED'), clientId: source.clientId, topic, detail: textOf(error) })
    throw error
  }
  const tenant = access.tenantOf(source, topic)
  const properties = packet.properties === undefined ? undefined : toProperties(packet.properties)
  await ingest({
    id: ids(),
    topic,
    payload,
    qos: qos === 0 ? 0 : 1,
    retain: packet.retain ?? false,
    receivedAt: clock.now(),
    source: tenant === source.tenant ? source : { ...source, tenant: tenant! },
    hops: 0,
    ...(properties ? { properties } : {}),
  })
}

function toProperties(from: NonNullable<PublishPacket['properties']>): MqttProperties {
  const { contentType, payloadFormatIndicator, responseTopic, correlationData, messageExpiryInterval, userProperties } = from
  return {
    ...(contentType === undefined ? {} : { contentType }),
    ...(payloadFormatIndicator === undefined ? {} : { payloadFormatIndicator }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlationData }),
    ...(messageExpiryInterval === undefined ? {} : { messageExpiryIntervalSeconds: messageExpiryInterval }),
    ...(userProperties === undefined ? {} : { userProperties: pairs(userProperties) }),
  }
}

function pairs(from: Readonly<Record<string, string | string[]>>): readonly (readonly [string, string])[] {
  return Object.entries(from).flatMap(([name, values]) => [values].flat().map((value) => [name, value] as const))
}

function toPacket({ topic, payload, qos, retain, properties }: Message): AedesPublishPacket {
  const packet = { cmd: 'publish', topic, payload: Buffer.from(payload), qos, retain, dup: false } as AedesPublishPacket
  if (properties) packet.properties = fromProperties(properties)
  return packet
}

function fromProperties(properties: MqttProperties): NonNullable<PublishPacket['properties']> {
  const { correlationData, messageExpiryIntervalSeconds, userProperties, ...same } = properties
  return {
    ...same,
    ...(correlationData ? { correlationData: Buffer.from(correlationData) } : {}),
    ...(messageExpiryIntervalSeconds === undefined ? {} : { messageExpiryInterval: messageExpiryIntervalSeconds }),
    ...(userProperties ? { userProperties: grouped(userProperties) } : {}),
  }
}

function grouped(entries: readonly (readonly [string, string])[]): Record<string, string[]> {
  const groups: Record<string, string[]> = Object.create(null)
  for (const [name, value] of entries) groups[name] = [...(groups[name] ?? []), value]
  return groups
}
