// AWS IoT Core: connection minutes, messages both ways, rules, actions, shadow operations.
import { z } from 'zod'
import { steps } from '../metering.ts'
import { incrementBytes } from '../price-book.ts'
import { amount, count, monthly, service } from './service.ts'

export const iotCore = service({
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
