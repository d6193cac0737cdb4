// SQS and SNS: requests in chunks of 64 KB, and the gigabytes of FIFO topics.
import { z } from 'zod'
import { steps } from '../metering.ts'
import { incrementBytes } from '../price-book.ts'
import { amount, count, monthly, service } from './service.ts'

export const sqs = service({
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

export const sns = service({
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
