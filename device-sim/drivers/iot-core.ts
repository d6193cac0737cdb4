// MQTT through AWS's own device SDK: what a device built with it does, against IoT Core or any broker with mutual TLS.
import type { http, ICrtError, mqtt, mqtt5 } from 'aws-iot-device-sdk-v2'
import type { Driver, DriverKind, DriverOptions, Reading, Session } from './driver.ts'
import { createTunnel, type Line } from './tunnel.ts'
import { createWiring, hostOf } from './wire.ts'

export const iotCore = {
  summary: 'MQTT 5 or 3.1.1 over mutual TLS through aws-iot-device-sdk-v2, the client of AWS IoT Core.',
  schemes: ['mqtts:', 'ssl:'],
  target: 'mqtts://127.0.0.1:8883',
  create: createIotCoreDriver,
} satisfies DriverKind

type Sdk = typeof import('aws-iot-device-sdk-v2')

interface Settings {
  readonly host: string
  readonly port: number
  readonly clientId: string
  readonly keepAliveMs: number
  readonly ca: string | undefined
  readonly cert: string
  readonly key: string
  readonly proxy: http.HttpProxyOptions
}

/** What happens to a connection, told by either client of the SDK. */
interface Events {
  up(): void
  /** `reasonCode`: of the DISCONNECT that the server sent, MQTT 5 only. */
  down(error: ICrtError, reasonCode?: number): void
  message(topic: string, payload: Uint8Array): void
}

/** The one thing both clients of the SDK can be asked for. */
interface Client {
  publish(reading: Reading): Promise<void>
  subscribe(filter: string): Promise<void>
  /** Says goodbye where there is somebody to say it to, and ends the SDK's own reconnecting. */
  end(): Promise<void>
}

/** [MQTT5-3.14.2.1] */
const sessionTakenOver = 0x8e

type ClientOf = (sdk: Sdk, settings: Settings, events: Events) => Client

const clients: Readonly<Record<NonNullable<DriverOptions['mqttVersion']>, ClientOf>> = { '5': createClient5, '3.1.1': createClient311 }

function createIotCoreDriver({ target, keepAliveMs, ca, credentials, mqttVersion = '5' }: DriverOptions): Driver {
  const wiring = createWiring()
  const port = Number(target.port || 8883)
  const tunnel = createTunnel(wiring, target, port)
  return {
    wire: wiring.wire,
    async connect(clientId, signal) {
      signal.throwIfAborted()
      if (!credentials) throw new Error('iot-core needs a certificate for each device, from a folder named by certs')
      const [{ default: sdk }, own] = await Promise.all([import('aws-iot-device-sdk-v2'), credentials(clientId)])
      signal.throwIfAborted()
      const line = await tunnel.line()
      const { Basic } = sdk.http.HttpProxyAuthenticationType
      const proxy = new sdk.http.HttpProxyOptions('127.0.0.1', line.proxy.port, Basic, line.proxy.user, '-')
      const settings = { host: hostOf(target), port, clientId, keepAliveMs, ca, ...own, proxy }
      return openSession((events) => clients[mqttVersion](sdk, settings, events), line, signal)
    },
    stop: tunnel.stop,
  }
}

/** The SDK would connect again by itself; a session ends with its first connection, as the fleet decides when a device returns. */
async function openSession(create: (events: Events) => Client, line: Line, signal: AbortSignal): Promise<Session> {
  const connection = Promise.withResolvers<void>()
  const gone = Promise.withResolvers<void>()
  const waiting = new Set<(reason: Error) => void>()
  let ending: Promise<void> | undefined
  let onMessage: (topic: string, payload: Uint8Array) => void = () => undefined

  const end = (reason: Error): Promise<void> => {
    ending ??= client
      .end()
      .catch(() => undefined)
      .then(() => {
        line.cut()
        line.release()
        for (const reject of waiting) reject(reason)
        gone.resolve()
      })
    connection.reject(reason)
    return ending
  }
  let takenOver = false
  const client = create({
    up: connection.resolve,
    down(error, reasonCode) {
      takenOver ||= reasonCode === sessionTakenOver
      void end(line.failure ?? new Error(explain(error)))
    },
    message: (topic, payload) => onMessage(topic, payload),
  })
  const onAbort = () => void end(signal.reason.name === 'TimeoutError' ? new Error(untold) : signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  await connection.promise.finally(() => signal.removeEventListener('abort', onAbort))

  /** Rejects when the session ends first. */
  const whileOpen = (work: () => Promise<void>): Promise<void> =>
    new Promise((resolve, reject) => {
      if (ending) return reject(new Error('the connection was closed'))
      waiting.add(reject)
      work()
        .then(resolve, (error: ICrtError) => reject(new Error(explain(error))))
        .finally(() => waiting.delete(reject))
    })
  return {
    publish: (reading) => whileOpen(() => client.publish(reading)),
    subscribe(filter, tell) {
      onMessage = tell
      return whileOpen(() => client.subscribe(filter))
    },
    closed: gone.promise,
    get takenOver() {
      return takenOver
    },
    close: () => end(new Error('the connection was closed')),
    cut() {
      line.cut()
      void end(new Error('the connection was cut'))
    },
    pause: line.pause,
  }
}

function createClient5({ iot, mqtt5 }: Sdk, settings: Settings, events: Events): Client {
  const { host, port, clientId, keepAliveMs, ca, cert, key, proxy } = settings
  const config = iot.AwsIotMqtt5ClientConfigBuilder.newDirectMqttBuilderWithMtlsFromMemory(host, cert, key)
    .withPort(port)
    .withHttpProxyOptions(proxy)
    .withConnectProperties({ clientId, keepAliveIntervalSeconds: secondsOf(keepAliveMs) })
    .withPingTimeoutMs(keepAliveMs / 2)
    .withOfflineQueueBehavior(mqtt5.ClientOperationQueueBehavior.FailAllOnDisconnect)
    // A fleet shows what happens above the limits of an account; the SDK would hold readings back to stay below them.
    .withExtendedValidationAndFlowControlOptions(mqtt5.ClientExtendedValidationAndFlowControl.None)
  if (ca !== undefined) config.withCertificateAuthority(ca)
  const client = new mqtt5.Mqtt5Client(config.build())
  const stopped = new Promise<void>((resolve) => client.on('stopped', () => resolve()))
  client.on('error', () => undefined)
  client.on('connectionSuccess', events.up)
  client.on('connectionFailure', ({ error }) => events.down(error))
  client.on('disconnection', ({ error, disconnect }) => events.down(error, disconnect?.reasonCode))
  client.on('messageReceived', ({ message: { topicName, payload } }) => events.message(topicName, bytesOf(payload)))
  client.start()
  return {
    async publish({ topic, payload, qos }) {
      const answer = await client.publish({ topicName: topic, qos: qos as mqtt5.QoS, payload: Buffer.from(payload) })
      // [MQTT5-3.4.2.1]: reason codes from 0x80 are failures.
      if (answer && answer.reasonCode >= 0x80) throw new Error(`refused with reason code ${answer.reasonCode}`)
    },
    async subscribe(filter) {
      const { reasonCodes } = await client.subscribe({ subscriptions: [{ topicFilter: filter, qos: 1 }] })
      if (reasonCodes.some((code) => code >= 0x80)) throw new Error('the subscription was refused')
    },
    async end() {
      client.stop({ reasonCode: 0 })
      await stopped
      client.close()
    },
  }
}

function createClient311({ iot, mqtt }: Sdk, settings: Settings, events: Events): Client {
  const { host, port, clientId, keepAliveMs, ca, cert, key, proxy } = settings
  const config = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(cert, key)
    .with_endpoint(host)
    .with_port(port)
    .with_http_proxy_options(proxy)
    .with_client_id(clientId)
    .with_clean_session(true)
    .with_keep_alive_seconds(secondsOf(keepAliveMs))
    .with_ping_timeout_ms(keepAliveMs / 2)
  if (ca !== undefined) config.with_certificate_authority(ca)
  const connection = new mqtt.MqttClient().new_connection(config.build())
  connection.on('error', () => undefined)
  connection.on('connection_success', events.up)
  connection.on('connection_failure', ({ error }) => events.down(error))
  connection.on('interrupt', events.down)
  connection.on('message', (topic, payload) => events.message(topic, bytesOf(payload)))
  connection.connect().catch(events.down)
  return {
    async publish({ topic, payload, qos }) {
      await connection.publish(topic, Buffer.from(payload), qos as mqtt.QoS)
    },
    async subscribe(filter) {
      // The granted QoS is 128 where the subscription was refused [MQTT-3.9.3].
      const { qos } = await connection.subscribe(filter, 1)
      if (qos >= 0x80) throw new Error('the subscription was refused')
    },
    end: () => connection.disconnect(),
  }
}

function secondsOf(keepAliveMs: number): number {
  return Math.ceil(keepAliveMs / 1_000)
}

function bytesOf(payload: mqtt5.Payload | undefined): Uint8Array {
  if (payload === undefined) return new Uint8Array()
  return typeof payload === 'string' ? Buffer.from(payload) : new Uint8Array(payload as ArrayBuffer)
}

/** The TLS library under the SDK waits up to half a minute before it tells that a handshake failed. */
const untold = "no answer in time; where the target is up, see that the server's certificate is from the CA given and good for its name"

const sentences: Readonly<Record<string, string>> = {
  AWS_IO_TLS_ERROR_NEGOTIATION_FAILURE: 'TLS failed: one side does not accept the certificate of the other',
  AWS_ERROR_MQTT5_DECODE_PROTOCOL_ERROR: 'the server does not speak MQTT 5; set mqttVersion to "3.1.1"',
  AWS_IO_SOCKET_CLOSED: "the server hung up; it may not accept the device's certificate",
  AWS_ERROR_MQTT_UNEXPECTED_HANGUP: 'the server hung up',
  AWS_ERROR_MQTT5_CONNACK_CONNECTION_REFUSED: 'the server refused the connection',
  AWS_ERROR_MQTT_PROTOCOL_ERROR: 'the server refused the connection',
}

function explain(error: ICrtError | Error): string {
  const { error_name: name = '', message } = error as ICrtError & Error
  return sentences[name] ?? message ?? name
}
