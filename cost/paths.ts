// Every way a reading can take from a device to a queue or function, and the units each is billed for.
import {
  alb,
  alwaysOnMqtt,
  dataOut,
  ec2Nodes,
  httpApi,
  iotPublish,
  iotSession,
  lambdaUsage,
  nlb,
  nodes,
  restApi,
  toQueue,
  webSocketApi,
} from './billed.ts'
import { CostError } from './errors.ts'
import { bytesPerGB, steps } from './metering.ts'
import { addUsage, type Usage } from './price.ts'
import { incrementBytes, type PriceBook } from './price-book.ts'
import { sqsMaxBytes } from './queues.ts'
import { type Connection, modelWire, type Wire, type WireProtocol } from './wire.ts'
import { connectedMinutes, hoursPerMonth, messageBytes, messagesPerMonth, type Workload } from './workload.ts'

export interface Path {
  readonly title: string
  readonly protocol: WireProtocol
  readonly connection: 'always-on' | 'per-message'
  readonly basicIngest?: true
  readonly end: 'sqs' | 'lambda'
  /** Largest message the path takes, in bytes. */
  readonly maxBytes: number
  /** Queues the path can send to; all where left out. */
  readonly queues?: readonly Workload['queue'][]
  /** Servers of our own, which somebody has to look after. */
  readonly selfHosted?: true
  /** What the figure rests on beyond prices and metering rules. */
  readonly assumes?: string
  /** Pure: the same workload on the same wire gives the same units, modelled or measured. The wire is asked for only where bytes are billed. */
  usage(workload: Workload, book: PriceBook, wire: () => Wire): Usage
}

const KB = 1_024
const iotMaxBytes = 128 * KB
/** Rules write one message a call, to standard queues, without a MessageGroupId. */
const ruleQueues = ['standard', 'none'] as const
const lambdaAssumes = 'Lambda memory and duration as given'

export const paths = {
  'iot-mqtt': {
    title: 'IoT Core MQTT, topic + rule',
    protocol: 'mqtts',
    connection: 'always-on',
    end: 'sqs',
    maxBytes: iotMaxBytes,
    queues: ruleQueues,
    usage: alwaysOnMqtt,
  },
  'iot-mqtt-basic-ingest': {
    title: 'IoT Core MQTT, Basic Ingest',
    protocol: 'mqtts',
    connection: 'always-on',
    basicIngest: true,
    end: 'sqs',
    maxBytes: iotMaxBytes,
    queues: ruleQueues,
    usage: (workload, book) => addUsage(iotSession(workload), iotPublish(workload, book, { http: false, basicIngest: true })),
  },
  'iot-mqtt-ws': {
    title: 'IoT Core MQTT over WebSocket',
    protocol: 'mqtt-wss',
    connection: 'always-on',
    end: 'sqs',
    maxBytes: iotMaxBytes,
    queues: ruleQueues,
    usage: alwaysOnMqtt,
  },
  'iot-mqtt-reconnect': {
    title: 'IoT Core MQTT, connecting for each message',
    protocol: 'mqtts',
    connection: 'per-message',
    end: 'sqs',
    maxBytes: iotMaxBytes,
    queues: ruleQueues,
    usage: (workload, book) => {
      const sessions = messagesPerMonth(workload) // each of one minute at least, and one CONNECT
      const session = { 'iotCore.connectionMinutes': sessions, 'iotCore.messages': sessions }
      return addUsage(session, iotPublish(workload, book, { http: false, basicIngest: false }))
    },
  },
  'iot-https': {
    title: 'IoT Core HTTPS publish',
    protocol: 'https',
    connection: 'per-message',
    end: 'sqs',
    maxBytes: iotMaxBytes,
    queues: ruleQueues,
    assumes: 'no connection minutes and no metered responses for HTTPS publishes',
    usage: (workload, book) => iotPublish(workload, book, { http: true, basicIngest: false }),
  },
  'iot-https-basic-ingest': {
    title: 'IoT Core HTTPS publish, Basic Ingest',
    protocol: 'https',
    connection: 'per-message',
    basicIngest: true,
    end: 'sqs',
    maxBytes: iotMaxBytes,
    queues: ruleQueues,
    assumes: 'no connection minutes and no metered responses for HTTPS publishes',
    usage: (workload, book) => iotPublish(workload, book, { http: true, basicIngest: true }),
  },
  'api-http-sqs': {
    title: 'API Gateway HTTP API → SQS',
    protocol: 'https',
    connection: 'per-message',
    end: 'sqs',
    maxBytes: sqsMaxBytes,
    usage: (workload, book, wire) => addUsage(httpApi(workload, book), toQueue(workload, book, 'single'), dataOut(workload, wire)),
  },
  'api-http-lambda': {
    title: 'API Gateway HTTP API → Lambda',
    protocol: 'https',
    connection: 'per-message',
    end: 'lambda',
    maxBytes: 6 * KB * KB,
    assumes: lambdaAssumes,
    usage: (workload, book, wire) => addUsage(httpApi(workload, book), lambdaUsage(workload), dataOut(workload, wire)),
  },
  'api-rest-sqs': {
    title: 'API Gateway REST API → SQS',
    protocol: 'https',
    connection: 'per-message',
    end: 'sqs',
    maxBytes: sqsMaxBytes,
    usage: (workload, book, wire) => addUsage(restApi(workload), toQueue(workload, book, 'single'), dataOut(workload, wire)),
  },
  'api-rest-lambda': {
    title: 'API Gateway REST API → Lambda',
    protocol: 'https',
    connection: 'per-message',
    end: 'lambda',
    maxBytes: 6 * KB * KB,
    assumes: lambdaAssumes,
    usage: (workload, _book, wire) => addUsage(restApi(workload), lambdaUsage(workload), dataOut(workload, wire)),
  },
  'api-websocket-sqs': {
    title: 'API Gateway WebSocket API → SQS',
    protocol: 'wss',
    connection: 'always-on',
    end: 'sqs',
    maxBytes: 128 * KB,
    assumes: 'opening a connection is no message; a ping of the application every 10 idle minutes is one',
    usage: (workload, book, wire) => addUsage(webSocketApi(workload, book), toQueue(workload, book, 'single'), dataOut(workload, wire)),
  },
  'api-websocket-lambda': {
    title: 'API Gateway WebSocket API → Lambda',
    protocol: 'wss',
    connection: 'always-on',
    end: 'lambda',
    maxBytes: 128 * KB,
    assumes: `opening a connection is no message; a ping of the application every 10 idle minutes is one; ${lambdaAssumes}`,
    usage: (workload, book, wire) => addUsage(webSocketApi(workload, book), lambdaUsage(workload), dataOut(workload, wire)),
  },
  'alb-lambda': {
    title: 'ALB → Lambda, HTTPS',
    protocol: 'https',
    connection: 'per-message',
    end: 'lambda',
    maxBytes: KB * KB,
    assumes: lambdaAssumes,
    usage: (workload, _book, wire) => addUsage(alb(workload, wire, 'lambda'), lambdaUsage(workload), dataOut(workload, wire)),
  },
  'alb-weir': {
    title: 'ALB → Weir on EC2, HTTPS',
    protocol: 'https',
    connection: 'per-message',
    end: 'sqs',
    maxBytes: sqsMaxBytes,
    selfHosted: true,
    assumes: 'messages a second of a node',
    usage: (workload, book, wire) =>
      addUsage(alb(workload, wire, 'instance'), ec2Nodes(workload, 0), toQueue(workload, book, workload.sends), dataOut(workload, wire)),
  },
  'alb-weir-websocket': {
    title: 'ALB → Weir on EC2, WebSocket',
    protocol: 'wss',
    connection: 'always-on',
    end: 'sqs',
    maxBytes: sqsMaxBytes,
    selfHosted: true,
    assumes: 'connections and messages a second of a node',
    usage: (workload, book, wire) =>
      addUsage(
        alb(workload, wire, 'websocket'),
        ec2Nodes(workload, workload.devices),
        toQueue(workload, book, workload.sends),
        dataOut(workload, wire),
      ),
  },
  'weir-ec2': {
    title: 'Weir on EC2 behind an NLB, MQTT',
    protocol: 'mqtts',
    connection: 'always-on',
    end: 'sqs',
    maxBytes: sqsMaxBytes,
    selfHosted: true,
    assumes: 'connections and messages a second of a node',
    usage: (workload, book, wire) =>
      addUsage(nlb(workload, wire), ec2Nodes(workload, workload.devices), toQueue(workload, book, workload.sends), dataOut(workload, wire)),
  },
  'weir-fargate': {
    title: 'Weir on Fargate behind an NLB, MQTT',
    protocol: 'mqtts',
    connection: 'always-on',
    end: 'sqs',
    maxBytes: sqsMaxBytes,
    selfHosted: true,
    assumes: 'connections and messages a second of a task',
    usage: (workload, book, wire) => {
      const taskHours = nodes(workload, workload.devices) * hoursPerMonth(workload)
      const tasks = {
        'fargate.fargateArmVcpuHours': taskHours * workload.taskVcpu,
        'fargate.fargateArmGbHours': taskHours * workload.taskMemoryGB,
      }
      return addUsage(nlb(workload, wire), tasks, toQueue(workload, book, workload.sends), dataOut(workload, wire))
    },
  },
  'emqx-serverless': {
    title: 'EMQX Serverless, one rule action',
    protocol: 'mqtts',
    connection: 'always-on',
    end: 'sqs',
    maxBytes: KB * KB,
    queues: ruleQueues,
    assumes: 'traffic is metered without TCP/IP headers; the action sends to SQS singly',
    usage: (workload, book, wire) => {
      const messages = messagesPerMonth(workload)
      const { perMessage, parts } = wire()
      const bytes = perMessage.up + perMessage.down - parts.tcpip.up - parts.tcpip.down
      const service = {
        'emqxServerless.sessionMinutes': connectedMinutes(workload),
        'emqxServerless.trafficGB': (messages * bytes) / bytesPerGB,
        'emqxServerless.ruleActions': messages,
      }
      return addUsage(service, toQueue(workload, book, 'single'))
    },
  },
  'hivemq-cloud': {
    title: 'HiveMQ Cloud',
    protocol: 'mqtts',
    connection: 'always-on',
    end: 'sqs',
    maxBytes: 256 * KB * KB,
    usage: (workload, book) => ({
      'hivemqCloud.messages':
        messagesPerMonth(workload) * steps(messageBytes(workload) + workload.topicBytes, incrementBytes(book, 'hivemqCloud.messages')),
    }),
  },
} as const satisfies Record<string, Path>

export type PathName = keyof typeof paths
export const pathNames = Object.keys(paths) as readonly PathName[]

/** Bytes on the wire of a path, from the model or from a measured run. */
export type WireOf = (path: Path, workload: Workload) => Wire

/** By the model. */
export const wireOf: WireOf = (path, workload) =>
  modelWire(path.protocol, workload, connectionOf(path, workload), path.basicIngest ?? false)

/** HTTPS keeps a connection for as many requests as the workload says. */
export function connectionOf(path: Path, workload: Workload): Connection {
  if (path.connection === 'always-on') return { kind: 'always-on' }
  return { kind: 'per-messages', messages: path.protocol === 'https' ? workload.requestsPerConnection : 1 }
}

/** What a sentence about bytes on the wire may claim. */
export function basisOf(wires: WireOf, workload: Workload): 'modelled' | 'measured' | 'partly measured' {
  const found = new Set(Object.values(paths).map((path) => wires(path, workload).basis))
  return found.size > 1 ? 'partly measured' : found.has('measured') ? 'measured' : 'modelled'
}

/** Units of a month. Throws a CostError when the path cannot carry the workload at all. */
export function pathUsage(path: Path, workload: Workload, book: PriceBook, wire = () => wireOf(path, workload)): Usage {
  const bytes = messageBytes(workload)
  if (bytes > path.maxBytes) throw new CostError(`${path.title} takes messages of at most ${path.maxBytes} bytes, not ${bytes}`, 1)
  if (path.queues && !path.queues.includes(workload.queue)) throw new CostError(`${path.title} cannot send to a ${workload.queue} queue`, 1)
  return path.usage(workload, book, wire)
}
