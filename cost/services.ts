// The services that can be priced from raw usage: the fields each understands and the units AWS makes of them.
import { z } from 'zod'
import { albUnits, bytesPerGB, lambdaGBSeconds, nlbUnits, steps } from './metering.ts'
import type { Usage } from './price.ts'
import { incrementBytes, type PriceBook } from './price-book.ts'

const amount = z.number().nonnegative()
const count = amount.optional()

/** Fields that every service understands. */
export const common = {
  region: z.string().default('us-east-1'),
  freeTier: z.boolean().default(false).describe('subtract every allowance'),
  freeTierDimensions: z.array(z.string()).default([]).describe('subtract the allowance of these items'),
  devices: amount.default(1),
  days: amount.default(30),
  dataOutGB: count.describe('data transfer out to the internet'),
  quantities: z.record(z.string(), amount).optional().describe('units of any item of the price book, as they are'),
}

export type Common = z.infer<z.ZodObject<typeof common>>

export interface Service<Shape extends z.ZodRawShape> {
  /** Fields that only this service has: how a line without a service name is understood. */
  readonly fields: Shape
  usage(inputs: z.infer<z.ZodObject<Shape>> & Common, book: PriceBook): Usage
}

const service = <Shape extends z.ZodRawShape>(kind: Service<Shape>) => kind

/** A monthly figure, plus a daily one of each device times devices and days. */
function monthly({ devices, days }: Common, perMonth = 0, perDeviceDay = 0): number {
  return perMonth + devices * days * perDeviceDay
}

const iotCore = service({
  fields: {
    connectedMinutesPerDeviceDay: count,
    connectionMinutesPerMonth: count,
    messagesPerDeviceDay: count,
    messagesPerMonth: count,
    payloadBytes: amount.default(0),
    topicBytes: amount.default(0),
    protocol: z
      .string()
      .toLowerCase()
      .pipe(z.enum(['mqtt', 'mqtts', 'mqtt-ws', 'websocket', 'http', 'https']))
      .default('mqtt'),
    basicIngest: z.boolean().default(false),
    httpResponseMetered: z.boolean().default(false),
    httpResponseBytes: amount.default(0),
    connectsPerDeviceDay: count,
    connectBytes: amount.default(0),
    subscribesPerDeviceDay: count,
    subscribeTopicBytes: amount.default(0),
    deliveriesPerDeviceDay: count,
    deliveriesPerMonth: count,
    deliveryPayloadBytes: amount.default(0),
    deliveryTopicBytes: amount.default(0),
    deliveryQos: z.union([z.literal(0), z.literal(1)]).default(0),
    rulesPerDeviceDay: count,
    rulesPerMonth: count,
    actionsPerRule: amount.default(1),
    shadowOpsPerDeviceDay: count,
    shadowOpsPerMonth: count,
    shadowBytes: amount.default(0),
    directMessagesPerMonth: count,
  },
  usage(inputs, book) {
    const size = (bytes: number, item = 'messages') => steps(bytes, incrementBytes(book, `iotCore.${item}`))
    const isHttp = inputs.protocol.startsWith('http')
    const topicBytes = isHttp ? 0 : inputs.topicBytes // in the URL of an HTTPS publish, which is not metered
    const uplink = monthly(inputs, inputs.messagesPerMonth, inputs.messagesPerDeviceDay)
    const published = uplink * size(inputs.payloadBytes + topicBytes)
    const answered = isHttp && inputs.httpResponseMetered ? uplink * size(inputs.httpResponseBytes) : 0
    const connects = monthly(inputs, 0, inputs.connectsPerDeviceDay) * size(inputs.connectBytes)
    const subscribes = monthly(inputs, 0, inputs.subscribesPerDeviceDay) * size(inputs.subscribeTopicBytes)
    const deliveries = monthly(inputs, inputs.deliveriesPerMonth, inputs.deliveriesPerDeviceDay)
    const delivered = deliveries * (size(inputs.deliveryPayloadBytes + inputs.deliveryTopicBytes) + inputs.deliveryQos) // a PUBACK from the device is metered
    const rules = monthly(inputs, inputs.rulesPerMonth, inputs.rulesPerDeviceDay) * size(inputs.payloadBytes, 'rulesTriggered')
    const shadow = monthly(inputs, inputs.shadowOpsPerMonth, inputs.shadowOpsPerDeviceDay)
    return {
      'iotCore.connectionMinutes': monthly(inputs, inputs.connectionMinutesPerMonth, inputs.connectedMinutesPerDeviceDay),
      'iotCore.messages': (inputs.basicIngest ? 0 : published) + answered + connects + subscribes + delivered,
      'iotCore.basicIngestMessages': inputs.basicIngest ? published : 0,
      'iotCore.rulesTriggered': rules,
      'iotCore.actionsExecuted': rules * Math.max(1, inputs.actionsPerRule),
      'iotCore.shadowAndRegistryOps': shadow * size(inputs.shadowBytes, 'shadowAndRegistryOps'),
      'iotCore.directMessages': (inputs.directMessagesPerMonth ?? 0) * size(inputs.payloadBytes + inputs.topicBytes, 'directMessages'),
    }
  },
})

const apiGateway = service({
  fields: {
    apiType: z
      .string()
      .toLowerCase()
      .pipe(z.enum(['http', 'rest', 'websocket'])),
    requestsPerMonth: count,
    requestsPerDeviceDay: count,
    requestBytes: amount.default(0),
    messagesPerMonth: count,
    messagesPerDeviceDay: count,
    payloadBytes: amount.default(0),
    connectionMinutesPerMonth: count,
    connectedMinutesPerDeviceDay: count,
    dataOutBytesPerRequest: amount.default(0),
  },
  usage(inputs, book) {
    const requests = monthly(inputs, inputs.requestsPerMonth, inputs.requestsPerDeviceDay)
    const messages = monthly(inputs, inputs.messagesPerMonth, inputs.messagesPerDeviceDay)
    const calls = inputs.apiType === 'websocket' ? messages : requests
    const dataOut = { 'dataTransfer.internetOut': (calls * inputs.dataOutBytesPerRequest) / bytesPerGB }
    if (inputs.apiType === 'rest') return { 'apiGateway.restRequests': requests, ...dataOut }
    if (inputs.apiType === 'http')
      return {
        'apiGateway.httpRequests': requests * steps(inputs.requestBytes, incrementBytes(book, 'apiGateway.httpRequests')),
        ...dataOut,
      }
    return {
      'apiGateway.webSocketMessages': messages * steps(inputs.payloadBytes, incrementBytes(book, 'apiGateway.webSocketMessages')),
      'apiGateway.webSocketConnectionMinutes': monthly(inputs, inputs.connectionMinutesPerMonth, inputs.connectedMinutesPerDeviceDay),
      ...dataOut,
    }
  },
})

const sqs = service({
  fields: {
    queueType: z
      .string()
      .toLowerCase()
      .pipe(z.enum(['standard', 'fifo', 'fair'])),
    requestsPerMonth: count,
    requestsPerDeviceDay: count,
    groupedRequestsPerMonth: count.describe('requests to a standard queue that carry a MessageGroupId'),
    payloadBytes: amount.default(0).describe('of one request: a whole batch counts as one payload'),
  },
  usage(inputs, book) {
    const requests = monthly(inputs, inputs.requestsPerMonth, inputs.requestsPerDeviceDay)
    const chunks = steps(inputs.payloadBytes, incrementBytes(book, 'sqs.standardRequests'))
    const grouped = inputs.groupedRequestsPerMonth ?? (inputs.queueType === 'fair' ? requests : 0)
    if (inputs.queueType === 'fifo') return { 'sqs.fifoRequests': requests * chunks }
    return { 'sqs.standardRequests': requests * chunks, 'sqs.fairQueueSurcharge': grouped * chunks }
  },
})

const sns = service({
  fields: {
    topicType: z
      .string()
      .toLowerCase()
      .pipe(z.enum(['standard', 'fifo']))
      .default('standard'),
    publishesPerMonth: count,
    publishesPerDeviceDay: count,
    payloadBytes: count,
    payloadKB: count,
    subscriptions: amount.default(0),
    deliveriesPerMonth: z
      .strictObject({ http: count, email: count, mobilePush: count, sqs: count, lambda: count, firehose: count })
      .default({}),
    archive: z.boolean().default(false),
    retentionDays: amount.default(0),
    scannedGB: count.describe('read by payload-based filters'),
  },
  usage(inputs, book) {
    const publishes = monthly(inputs, inputs.publishesPerMonth, inputs.publishesPerDeviceDay)
    const payloadKB = inputs.payloadKB ?? (inputs.payloadBytes ?? 0) / 1_024
    const chunks = steps(payloadKB * 1_024, incrementBytes(book, 'sns.standardPublishes'))
    const filtered = { 'sns.payloadFilterScannedGB': inputs.scannedGB ?? 0 }
    if (inputs.topicType === 'standard') {
      const { http = 0, email = 0, mobilePush = 0, firehose = 0, sqs: toSqs = 0, lambda: toLambda = 0 } = inputs.deliveriesPerMonth
      return {
        'sns.standardPublishes': publishes * chunks,
        'sns.deliveriesHttp': http * chunks,
        'sns.deliveriesEmail': email * chunks,
        'sns.deliveriesMobilePush': mobilePush * chunks,
        'sns.deliveriesFirehose': firehose * chunks,
        'sns.deliveriesSqs': toSqs,
        'sns.deliveriesLambda': toLambda,
        ...filtered,
      }
    }
    const payloadGB = (publishes * payloadKB) / 1_000_000
    return {
      'sns.fifoPublishes': publishes,
      'sns.fifoPublishPayloadGB': payloadGB,
      'sns.fifoDeliveries': publishes * inputs.subscriptions,
      'sns.fifoDeliveryPayloadGB': payloadGB * inputs.subscriptions,
      'sns.fifoArchiveProcessingGB': inputs.archive ? payloadGB : 0,
      'sns.fifoArchiveStorageGBMonth': inputs.archive ? (payloadGB * inputs.retentionDays) / 30 : 0,
      ...filtered,
    }
  },
})

const lambda = service({
  fields: {
    requestsPerMonth: count,
    requestsPerDeviceDay: count,
    memoryMB: amount,
    durationMs: amount,
    arch: z.enum(['x86_64', 'x86', 'arm64', 'arm']).default('x86_64'),
    ephemeralStorageMB: amount.default(512),
  },
  usage(inputs) {
    const requests = monthly(inputs, inputs.requestsPerMonth, inputs.requestsPerDeviceDay)
    const duration = lambdaGBSeconds(requests, inputs.memoryMB, inputs.durationMs)
    return {
      'lambda.requests': requests,
      [inputs.arch.startsWith('x86') ? 'lambda.durationX86' : 'lambda.durationArm']: duration,
      'lambda.ephemeralStorageOver512MB': lambdaGBSeconds(requests, Math.max(0, inputs.ephemeralStorageMB - 512), inputs.durationMs),
    }
  },
})

const nlbLoad = z.strictObject({ newPerSecond: amount.default(0), active: amount.default(0), gbPerHour: amount.default(0) }).optional()

const elb = service({
  fields: {
    lbType: z
      .string()
      .toLowerCase()
      .pipe(z.enum(['alb', 'nlb'])),
    hours: amount.default(730),
    newConnectionsPerSecond: amount.default(0),
    activeConnections: amount.default(0),
    processedGBPerHour: amount.default(0),
    lambdaGBPerHour: amount.default(0),
    ruleEvaluationsPerSecond: amount.default(0),
    tcp: nlbLoad,
    udp: nlbLoad,
    tls: nlbLoad,
  },
  usage({ hours, tcp, udp, tls, ...load }) {
    if (load.lbType === 'alb') return { 'elb.albHours': hours, 'elb.albLcuHours': hours * albUnits(load) }
    const plain = { newPerSecond: load.newConnectionsPerSecond, active: load.activeConnections, gbPerHour: load.processedGBPerHour }
    const named = { ...(tcp && { tcp }), ...(udp && { udp }), ...(tls && { tls }) }
    return { 'elb.nlbHours': hours, 'elb.nlbNlcuHours': hours * nlbUnits(tcp || udp || tls ? named : { tcp: plain }) }
  },
})

const natGateway = service({
  fields: { hours: amount.default(730), processedGB: amount },
  usage: ({ hours, processedGB }) => ({ 'natGateway.hours': hours, 'natGateway.processedGB': processedGB }),
})

const fargate = service({
  fields: { taskHours: amount, vcpu: amount, memoryGB: amount, arch: z.enum(['x86_64', 'x86', 'arm64', 'arm']).default('x86_64') },
  usage({ taskHours, vcpu, memoryGB, arch }) {
    const prefix = arch.startsWith('x86') ? 'fargate.fargate' : 'fargate.fargateArm'
    return { [`${prefix}VcpuHours`]: taskHours * vcpu, [`${prefix}GbHours`]: taskHours * memoryGB }
  },
})

const ec2 = service({
  fields: { instanceType: z.string(), instances: amount.default(1), hours: amount.default(730) },
  usage: ({ instanceType, instances, hours }) => ({ [`ec2.${instanceType}`]: instances * hours }),
})

const cloudWatchLogs = service({
  fields: { ingestedGB: amount.default(0), storedGBMonth: amount.default(0), insightsGB: amount.default(0) },
  usage: ({ ingestedGB, storedGBMonth, insightsGB }) => ({
    'cloudWatchLogs.logsIngestedGB': ingestedGB,
    'cloudWatchLogs.logsStoredGBMonth': storedGBMonth,
    'cloudWatchLogs.insightsScannedGB': insightsGB,
  }),
})

export const services = { iotCore, apiGateway, sqs, sns, lambda, elb, natGateway, fargate, ec2, cloudWatchLogs } as const
