// The parts that bills are put together from: a session, a publish, a request, a queue, a balancer, a server, bytes out.
import { albUnits, bytesPerGB, lambdaGBSeconds, nlbUnits, steps } from './metering.ts'
import { addUsage, type Usage } from './price.ts'
import { incrementBytes, type PriceBook } from './price-book.ts'
import { queueUsage } from './queues.ts'
import { bytesOutPerMessage, type Connection, sessionsPerMessage, type Wire } from './wire.ts'
import {
  acksOnWebSocket,
  connectedMinutes,
  hoursPerMonth,
  messageBytes,
  messageIntervalMs,
  messagesPerMonth,
  sessionsPerMonth,
  type Workload,
} from './workload.ts'

/** API Gateway closes an idle WebSocket after ten minutes and any after two hours. */
const webSocketIdleMs = 600_000
/** A load balancer has a public address in each of its availability zones. */
const zones = 2

export function alwaysOnMqtt(workload: Workload, book: PriceBook): Usage {
  return addUsage(iotSession(workload), iotPublish(workload, book, { http: false, basicIngest: false }))
}

/** Connection minutes and CONNECT packets of devices that stay connected. */
export function iotSession(workload: Workload): Usage {
  return { 'iotCore.connectionMinutes': connectedMinutes(workload), 'iotCore.messages': sessionsPerMonth(workload) }
}

/** The publish by size, its rule and action by payload, and the SQS request the action makes. */
export function iotPublish(workload: Workload, book: PriceBook, { http, basicIngest }: { http: boolean; basicIngest: boolean }): Usage {
  const messages = messagesPerMonth(workload)
  const bytes = messageBytes(workload)
  const increment = incrementBytes(book, 'iotCore.messages')
  const published = messages * steps(bytes + (http ? 0 : workload.topicBytes), increment)
  const triggered = messages * steps(bytes, incrementBytes(book, 'iotCore.rulesTriggered'))
  const publish = { [basicIngest ? 'iotCore.basicIngestMessages' : 'iotCore.messages']: published }
  if (!workload.rule && !basicIngest) return publish
  const rule = { 'iotCore.rulesTriggered': triggered, 'iotCore.actionsExecuted': triggered }
  return addUsage(publish, rule, toQueue(workload, book, 'single'))
}

export function toQueue(workload: Workload, book: PriceBook, sends: Workload['sends']): Usage {
  return queueUsage(workload, book, messagesPerMonth(workload), messageBytes(workload), sends)
}

export function httpApi(workload: Workload, book: PriceBook): Usage {
  const size = steps(messageBytes(workload), incrementBytes(book, 'apiGateway.httpRequests'))
  return { 'apiGateway.httpRequests': messagesPerMonth(workload) * size }
}

export function restApi(workload: Workload): Usage {
  return { 'apiGateway.restRequests': messagesPerMonth(workload) }
}

/** Messages both ways and the pings that keep an idle connection open. */
export function webSocketApi(workload: Workload, book: PriceBook): Usage {
  const size = steps(messageBytes(workload), incrementBytes(book, 'apiGateway.webSocketMessages'))
  const pings = Math.ceil(messageIntervalMs(workload) / webSocketIdleMs) - 1
  const each = size + (acksOnWebSocket(workload) ? 1 : 0) + pings
  return {
    'apiGateway.webSocketMessages': messagesPerMonth(workload) * each,
    'apiGateway.webSocketConnectionMinutes': connectedMinutes(workload),
  }
}

export function lambdaUsage(workload: Workload): Usage {
  const calls = messagesPerMonth(workload)
  return { 'lambda.requests': calls, 'lambda.durationArm': lambdaGBSeconds(calls, workload.lambdaMemoryMB, workload.lambdaDurationMs) }
}

export function alb(workload: Workload, wire: () => Wire, target: 'lambda' | 'instance' | 'websocket'): Usage {
  const perSecond = messagesPerMonth(workload) / (hoursPerMonth(workload) * 3_600)
  const { perMessage } = wire()
  const gbPerHour = (perSecond * 3_600 * (perMessage.up + perMessage.down)) / bytesPerGB
  const isOpen = target === 'websocket' || workload.requestsPerConnection > 1
  const connection: Connection =
    target === 'websocket' ? { kind: 'always-on' } : { kind: 'per-messages', messages: workload.requestsPerConnection }
  const units = albUnits({
    newConnectionsPerSecond: perSecond * sessionsPerMessage(workload, connection),
    activeConnections: isOpen ? workload.devices : perSecond,
    processedGBPerHour: target === 'lambda' ? 0 : gbPerHour,
    lambdaGBPerHour: target === 'lambda' ? gbPerHour : 0,
  })
  const hours = hoursPerMonth(workload)
  return { 'elb.albHours': hours, 'elb.albLcuHours': hours * units, 'vpc.publicIpv4Hours': zones * hours }
}

/** TLS ends in Weir, so the balancer sees plain TCP. */
export function nlb(workload: Workload, wire: () => Wire): Usage {
  const { perMessage } = wire()
  const hours = hoursPerMonth(workload)
  const gbPerHour = (messagesPerMonth(workload) * (perMessage.up + perMessage.down)) / hours / bytesPerGB
  const newPerSecond = sessionsPerMonth(workload) / (hours * 3_600)
  return {
    'elb.nlbHours': hours,
    'elb.nlbNlcuHours': hours * nlbUnits({ tcp: { newPerSecond, active: workload.devices, gbPerHour } }),
    'vpc.publicIpv4Hours': zones * hours,
  }
}

export function ec2Nodes(workload: Workload, connections: number): Usage {
  return { [`ec2.${workload.instanceType}`]: nodes(workload, connections) * hoursPerMonth(workload) }
}

export function nodes(workload: Workload, connections: number): number {
  const perSecond = messagesPerMonth(workload) / (hoursPerMonth(workload) * 3_600)
  const needed = Math.max(connections / workload.connectionsPerNode, perSecond / workload.messagesPerSecondPerNode)
  return Math.max(1, Math.ceil(needed)) + workload.spareNodes
}

export function dataOut(workload: Workload, wire: () => Wire): Usage {
  if (!workload.dataOut) return {}
  return { 'dataTransfer.internetOut': (messagesPerMonth(workload) * bytesOutPerMessage(wire())) / bytesPerGB }
}
