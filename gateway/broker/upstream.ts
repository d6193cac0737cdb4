// Any MQTT broker, by MQTT.js: the only file of the gateway that imports it.
import { connect, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt'
import { GatewayError, textOf } from '../errors.ts'
import { toPubacks } from './ack-queue.ts'
import type { Broker } from './broker.ts'
import type { UpstreamConfig } from './config.ts'
import { readNamed } from './files.ts'
import { type PacketProperties, payloadOf, toPacket, toProperties } from './packet.ts'
import { createRemoteBroker, type DialOptions, type RemoteBrokerOptions, type RemoteLink, withHops } from './remote.ts'

/*
   MQTT.js hands over one message at a time, and acknowledges it when its callback is called. That would be one message for each write
   to the disk. So the callback is called at once, with an error, which means: no PUBACK; and the PUBACK is written here when it is due,
   to the connection the message came by, as a packet id means nothing to the next one.
*/
export function createUpstreamBroker(config: UpstreamConfig, options: RemoteBrokerOptions): Broker {
  const { host, hostname } = new URL(config.url)
  const [ca, cert, key] = (['ca', 'cert', 'key'] as const).map((name) => readNamed(config.tls?.[name], `broker.tls.${name}`))
  const tls = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }), ...(!isAddress(hostname) && { servername: hostname }) }
  const { username } = config
  const login = () => {
    const password = readNamed(config.passwordFile, 'broker.passwordFile')?.replace(/\r?\n$/, '') ?? config.password
    return { ...(username !== undefined && { username }), ...(password !== undefined && { password }) }
  }
  login() // what cannot be read is told before anything starts
  return createRemoteBroker(config, host, async (asked) => open(config, { ...tls, ...login() }, asked), options)
}

function isAddress(host: string): boolean {
  return /^[\d.]+$|:/.test(host)
}

function toOptions({ protocolVersion, keepAliveSeconds, sessionExpirySeconds, maxInFlight }: UpstreamConfig): IClientOptions {
  return {
    protocolVersion: protocolVersion === '5' ? 5 : 4,
    clean: false,
    ...(protocolVersion === '5' && { properties: { sessionExpiryInterval: sessionExpirySeconds, receiveMaximum: maxInFlight } }),
    keepalive: keepAliveSeconds,
    reconnectPeriod: 0,
    connectTimeout: 10_000,
    resubscribe: false,
    queueQoSZero: false,
  }
}

async function open(config: UpstreamConfig, identity: IClientOptions, { clientId, receive, signal }: DialOptions): Promise<RemoteLink> {
  signal.throwIfAborted()
  const client = connect(config.url, { ...toOptions(config), ...identity, clientId })
  const acknowledgements = takeMessages(client, config.maxInFlight, receive)
  const closed = watch(client)
  const ready = Promise.withResolvers<boolean>()
  client.once('connect', ({ sessionPresent }) => ready.resolve(sessionPresent))
  closed.then((reason) => ready.reject(refusalOf(reason)))
  const onAbort = () => {
    ready.reject(new GatewayError('BROKER_UNREACHABLE', 'no answer in time'))
    client.end(true)
  }
  signal.addEventListener('abort', onAbort, { once: true })
  const resumed = await ready.promise.finally(() => signal.removeEventListener('abort', onAbort))
  return {
    resumed,
    hasProperties: config.protocolVersion === '5',
    closed: closed.then(textOf),
    subscribe: (filters) => subscribe(client, filters),
    async publish(message) {
      const { topic, qos, retain } = message
      const packet = toPacket({ ...message, properties: withHops(message) ?? {} }, qos, retain)
      const properties = config.protocolVersion === '5' && packet.properties && { properties: toGrouped(packet.properties) }
      const answered = client.publishAsync(topic, payloadOf(packet), { qos, retain, ...properties })
      await answered.catch((error) => {
        throw refusalOf(error)
      })
    },
    async close() {
      acknowledgements.flush()
      client.end(!client.connected, { reasonCode: 0 })
      await closed
    },
  }
}

/** Resolves with why the connection ended. */
function watch(client: MqttClient): Promise<Error> {
  let reason: Error | undefined
  client.on('error', (error) => {
    reason ??= error
  })
  // [MQTT5-3.14]: the broker says why.
  client.on('disconnect', ({ reasonCode = 0 }) => {
    reason ??= Object.assign(new Error(`the broker ended the connection with reason code ${reasonCode}`), { code: reasonCode })
  })
  return new Promise((resolve) => client.once('close', () => resolve(reason ?? new Error('the broker closed the connection'))))
}

/** Reason and return codes are numbers, what the network does is text. */
function refusalOf(error: unknown): GatewayError {
  const { code } = error as { readonly code?: unknown }
  const name = typeof code === 'number' ? 'BROKER_REFUSED' : 'BROKER_UNREACHABLE'
  const text = textOf(error) || String(code)
  return new GatewayError(name, text, { cause: error })
}

async function subscribe(client: MqttClient, filters: readonly string[]): Promise<void> {
  // Retain Handling 1: retained messages come with a new subscription, and not again with every connection [MQTT5-3.8.3.1].
  const rh = client.options.protocolVersion === 5 ? { rh: 1 as const } : {}
  const asked = Object.fromEntries(filters.map((filter) => [filter, { qos: 1 as const, ...rh }]))
  const granted = await client.subscribeAsync(asked).catch((error) => {
    throw refusalOf(error)
  })
  const refused = granted.find(({ qos }) => qos >= 128)
  if (refused) throw new GatewayError('BROKER_REFUSED', `the broker refuses the subscription to ${refused.topic}`)
}

/** Hands every PUBLISH over as it comes, and stops reading while `maxInFlight` wait: MQTT 3.1.1 has no other way to say so. */
function takeMessages(client: MqttClient, maxInFlight: number, receive: DialOptions['receive']): { flush(): void } {
  let open = 0
  let due: number[] = []
  let resume: (() => void) | undefined

  const flush = () => {
    if (due.length === 0) return
    const packets = toPubacks(due)
    due = []
    if (client.connected) client.stream.write(packets)
  }
  const acknowledge = (packetId: number) => {
    if (due.push(packetId) === 1) process.nextTick(flush)
    open--
    // It may bring the next message at once, which may have to wait again.
    const goOn = resume
    resume = undefined
    goOn?.()
  }
  client.handleMessage = (packet, next) => {
    const { qos, messageId = 0 } = packet
    // QoS 2 was not subscribed to.
    if (qos > 1) return next(new Error('QoS 2 was not asked for'))
    if (qos === 1) open++
    receive(toIncoming(packet), qos === 1 ? () => acknowledge(messageId) : () => undefined)
    const goOn = () => next(new Error('acknowledged later'))
    if (open < maxInFlight) goOn()
    else resume = goOn
  }
  return { flush }
}

function toIncoming(packet: IPublishPacket) {
  const { topic, qos, retain, dup, properties } = packet
  return {
    ...({ topic, payload: payloadOf(packet), qos: qos === 0 ? 0 : 1, retain, again: dup } as const),
    ...(properties ? { properties: toProperties(fromGrouped(properties)) } : {}),
  }
}

type Grouped = NonNullable<IPublishPacket['properties']>

/** mqtt.js groups user properties by name, so the order between different names is lost. */
function fromGrouped({ userProperties, ...same }: Grouped): PacketProperties {
  if (!userProperties) return same as PacketProperties
  const pairs = Object.entries(userProperties).flatMap(([name, values]) => [values].flat().map((value) => [name, value] as const))
  return { ...(same as PacketProperties), userProperties: pairs }
}

function toGrouped({ userProperties, ...same }: PacketProperties): Grouped {
  if (!userProperties) return same as Grouped
  const groups: Record<string, string[]> = Object.create(null)
  for (const [name, value] of userProperties) groups[name] = [...(groups[name] ?? []), value]
  return { ...(same as Grouped), userProperties: groups }
}
