// AWS IoT Core, by AWS's device SDK over MQTT 5: the only file of the gateway that imports it, when it is needed.
import type { ICrtError, mqtt5 } from 'aws-iot-device-sdk-v2'
import { GatewayError, textOf } from '../errors.ts'
import type { Message, MqttProperties } from '../message/message.ts'
import type { Broker } from './broker.ts'
import type { IotCoreConfig } from './config.ts'
import { readNamed } from './files.ts'
import type { Incoming } from './intake.ts'
import { createRemoteBroker, type DialOptions, type RemoteBrokerOptions, type RemoteLink, withHops } from './remote.ts'

type Sdk = typeof import('aws-iot-device-sdk-v2')

interface Certificates {
  readonly cert: string
  readonly key: string
  readonly ca: string | undefined
}

/** AWS IoT Core takes eight filters in a SUBSCRIBE [AWS iot-core quotas]. */
const filtersPerSubscribe = 8

const ackTimeoutSeconds = 5

export function createIotCoreBroker(config: IotCoreConfig, options: RemoteBrokerOptions): Broker {
  const read = (name: 'cert' | 'key') => readNamed(config[name], `broker.${name}`)
  const certificates = { cert: read('cert'), key: read('key'), ca: readNamed(config.ca, 'broker.ca') }
  const target = `${config.endpoint}:${config.port}`
  const dial = async (asked: DialOptions) => open((await import('aws-iot-device-sdk-v2')).default, config, certificates, asked)
  return createRemoteBroker(config, target, dial, options)
}

/** The SDK would connect again by itself; a link is one connection, and who holds it decides when the next is made. */
async function open(
  sdk: Sdk,
  config: IotCoreConfig,
  certificates: Certificates,
  { clientId, receive, signal }: DialOptions,
): Promise<RemoteLink> {
  signal.throwIfAborted()
  const client = createClient(sdk, config, certificates, clientId)
  const ready = Promise.withResolvers<boolean>()
  const ended = Promise.withResolvers<string>()
  const stopped = new Promise<void>((resolve) => client.once('stopped', () => resolve()))
  let ending: Promise<void> | undefined

  const end = (error: GatewayError): Promise<void> => {
    ready.reject(error)
    ending ??= stopped.then(() => {
      client.close()
      ended.resolve(error.message)
    })
    client.stop({ reasonCode: 0 })
    return ending
  }
  client.on('error', () => undefined)
  client.on('connectionSuccess', ({ connack }) => ready.resolve(connack.sessionPresent))
  client.on('connectionFailure', ({ error, connack }) => void end(refusalOf(error, connack?.reasonCode)))
  client.on('disconnection', ({ error, disconnect }) => void end(refusalOf(error, disconnect?.reasonCode)))
  client.on('messageReceived', ({ message, acknowledgementControl }) => {
    // Taken now or never: who does not take it has acknowledged.
    const handle = acknowledgementControl?.acquireHandle()
    receive(toIncoming(message), () => {
      if (!ending) handle?.invokeAcknowledgement()
    })
  })
  const onAbort = () => void end(new GatewayError('BROKER_UNREACHABLE', 'no answer in time'))
  signal.addEventListener('abort', onAbort, { once: true })
  client.start()
  const resumed = await ready.promise.finally(() => signal.removeEventListener('abort', onAbort))
  return {
    resumed,
    hasProperties: true,
    closed: ended.promise,
    subscribe: (filters) => subscribe(client, filters),
    publish: (message) => publish(client, message),
    async close() {
      if (!ending) await roundTrip(client)
      return end(new GatewayError('STOPPING', 'the connection was closed'))
    },
  }
}

function createClient({ iot, mqtt5 }: Sdk, config: IotCoreConfig, { cert, key, ca }: Certificates, clientId: string): mqtt5.Mqtt5Client {
  const { endpoint, port, keepAliveSeconds, sessionExpirySeconds, maxInFlight } = config
  const builder = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromMemory(endpoint, cert, key)
    .withPort(port)
    .withConnectProperties({
      clientId,
      keepAliveIntervalSeconds: keepAliveSeconds,
      sessionExpiryIntervalSeconds: sessionExpirySeconds,
      receiveMaximum: maxInFlight,
    })
    .withSessionBehavior(mqtt5.ClientSessionBehavior.RejoinAlways)
    .withOfflineQueueBehavior(mqtt5.ClientOperationQueueBehavior.FailAllOnDisconnect)
    .withConnackTimeoutMs(10_000)
    .withAckTimeoutSeconds(ackTimeoutSeconds)
  if (ca !== undefined) builder.withCertificateAuthority(ca)
  return new mqtt5.Mqtt5Client(builder.build())
}

/** Reason codes from 0x80 are failures [MQTT5-2.4]; without one, it is the network. */
function refusalOf(error: ICrtError, reasonCode: number | undefined): GatewayError {
  const text = error.error_name ?? textOf(error)
  if (reasonCode === undefined) return new GatewayError('BROKER_UNREACHABLE', text, { cause: error })
  return new GatewayError('BROKER_REFUSED', `${text}, reason code ${reasonCode}`, { cause: error })
}

async function subscribe(client: mqtt5.Mqtt5Client, filters: readonly string[]): Promise<void> {
  for (let at = 0; at < filters.length; at += filtersPerSubscribe) {
    const asked = filters.slice(at, at + filtersPerSubscribe)
    const { reasonCodes } = await client
      .subscribe({ subscriptions: asked.map((topicFilter) => ({ topicFilter, qos: 1 })) })
      .catch((error) => {
        throw new GatewayError('BROKER_UNREACHABLE', textOf(error), { cause: error })
      })
    const refused = asked.find((_, index) => reasonCodes[index]! >= 0x80)
    if (refused !== undefined) throw new GatewayError('BROKER_REFUSED', `the broker refuses the subscription to ${refused}`)
  }
}

/** A DISCONNECT of the SDK overtakes PUBACKs that are due: what the broker answers shows that it has read them. Leaving what was never entered changes nothing. */
async function roundTrip(client: mqtt5.Mqtt5Client): Promise<void> {
  await client.unsubscribe({ topicFilters: ['weir/round-trip'] }).catch(() => undefined)
}

async function publish(client: mqtt5.Mqtt5Client, message: Message): Promise<void> {
  const { topic, payload, qos, retain } = message
  const packet = { topicName: topic, payload: Buffer.from(payload), qos: qos as mqtt5.QoS, retain, ...fromProperties(withHops(message)) }
  const answer = await client.publish(packet).catch((error) => {
    throw new GatewayError('BROKER_UNREACHABLE', textOf(error), { cause: error })
  })
  if (answer && answer.reasonCode >= 0x80) {
    throw new GatewayError('BROKER_REFUSED', `the broker refuses the publish with reason code ${answer.reasonCode}`)
  }
}

function toIncoming({ topicName, payload, qos, retain = false, ...more }: mqtt5.PublishPacket): Incoming {
  const properties = toProperties(more)
  return {
    ...({ topic: topicName, payload: bytesOf(payload), qos: qos === 0 ? 0 : 1, retain, again: false } as const),
    ...(Object.keys(properties).length > 0 && { properties }),
  }
}

function bytesOf(payload: mqtt5.Payload | undefined): Uint8Array {
  if (payload === undefined) return new Uint8Array()
  return typeof payload === 'string' ? Buffer.from(payload) : new Uint8Array(payload as ArrayBuffer)
}

function toProperties(from: Omit<mqtt5.PublishPacket, 'topicName' | 'payload' | 'qos' | 'retain'>): MqttProperties {
  const { contentType, payloadFormat, responseTopic, correlationData, messageExpiryIntervalSeconds, userProperties } = from
  return {
    ...(contentType !== undefined && { contentType: textIn(contentType) }),
    ...(payloadFormat !== undefined && { payloadFormatIndicator: payloadFormat === 1 }),
    ...(responseTopic !== undefined && { responseTopic: textIn(responseTopic) }),
    ...(correlationData !== undefined && { correlationData: bytesOf(correlationData) }),
    ...(messageExpiryIntervalSeconds !== undefined && { messageExpiryIntervalSeconds }),
    ...(userProperties?.length && { userProperties: userProperties.map(({ name, value }) => [name, value] as const) }),
  }
}

function textIn(value: string | ArrayBuffer): string {
  return typeof value === 'string' ? value : Buffer.from(value).toString()
}

function fromProperties(properties: MqttProperties = {}): Partial<mqtt5.PublishPacket> {
  const { payloadFormatIndicator, correlationData, userProperties, ...same } = properties
  return {
    ...same,
    ...(payloadFormatIndicator !== undefined && { payloadFormat: Number(payloadFormatIndicator) as mqtt5.PayloadFormatIndicator }),
    ...(correlationData && { correlationData: Buffer.from(correlationData) }),
    ...(userProperties && { userProperties: userProperties.map(([name, value]) => ({ name, value })) }),
  }
}
