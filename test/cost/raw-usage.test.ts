// The metering rules one by one, and a sentence for every field that is not understood.
import { describe, expect, test } from 'vitest'
import { priceUsage } from '../../cost/price.ts'
import { readRawUsage } from '../../cost/raw-usage.ts'

const quantities = (inputs: unknown, service?: string) => {
  const { usage, book } = readRawUsage(inputs, service)
  return Object.fromEntries(priceUsage(usage, book).lineItems.map(({ item, quantity }) => [item, quantity]))
}
const million = 1_000_000

describe('IoT Core', () => {
  test.each([
    ['MQTT counts payload and topic', { payloadBytes: 5_081, topicBytes: 40 }, 2],
    ['HTTPS counts the body alone', { payloadBytes: 5_081, topicBytes: 40, protocol: 'https' }, 1],
    ['MQTT over WebSocket counts like MQTT', { payloadBytes: 5_081, topicBytes: 40, protocol: 'mqtt-ws' }, 2],
    ['an empty payload is one message', { payloadBytes: 0 }, 1],
    ['HTTPS responses count when told so', { payloadBytes: 1, protocol: 'HTTPS', httpResponseMetered: true }, 2],
  ])('%s', (_, inputs, each) => {
    expect(quantities({ ...inputs, messagesPerMonth: million })).toEqual({ 'iotCore.messages': each * million })
  })

  test('sessions: CONNECT and SUBSCRIBE are messages, by size', () => {
    const session = { connectsPerDeviceDay: 2, connectBytes: 6_000, subscribesPerDeviceDay: 2, subscribeTopicBytes: 60 }
    expect(quantities({ devices: 10, days: 30, ...session })).toEqual({ 'iotCore.messages': 10 * 30 * 2 * (2 + 1) })
  })

  test('a QoS 1 delivery is its message and one PUBACK', () => {
    const delivery = { deliveriesPerDeviceDay: 1, deliveryPayloadBytes: 5_120, deliveryTopicBytes: 1 }
    expect(quantities({ days: 1, ...delivery, deliveryQos: 1 })).toEqual({ 'iotCore.messages': 3 })
    expect(quantities({ days: 1, ...delivery })).toEqual({ 'iotCore.messages': 2 })
  })

  test('Basic Ingest has no message charge and keeps rules and actions, by size', () => {
    const inputs = { messagesPerMonth: 10, basicIngest: true, rulesPerMonth: 10, actionsPerRule: 2, payloadBytes: 5_121 }
    expect(quantities(inputs)).toEqual({ 'iotCore.basicIngestMessages': 20, 'iotCore.rulesTriggered': 20, 'iotCore.actionsExecuted': 40 })
  })
})

test('API Gateway: bytes out of each request become GB', () => {
  expect(quantities({ apiType: 'rest', requestsPerMonth: 1_024, dataOutBytesPerRequest: 1_024 ** 2 })).toEqual({
    'apiGateway.restRequests': 1_024,
    'dataTransfer.internetOut': 1,
  })
})

test('HTTP API meters in 512 KB, REST API not by size', () => {
  const inputs = { requestsPerMonth: 1, requestBytes: 524_289 }
  expect(quantities({ apiType: 'http', ...inputs })).toEqual({ 'apiGateway.httpRequests': 2 })
  expect(quantities({ apiType: 'rest', ...inputs })).toEqual({ 'apiGateway.restRequests': 1 })
})

test('a fair queue pays the standard rate and the surcharge on grouped requests', () => {
  expect(quantities({ queueType: 'fair', requestsPerMonth: 30, groupedRequestsPerMonth: 10, payloadBytes: 65_537 })).toEqual({
    'sqs.standardRequests': 60,
    'sqs.fairQueueSurcharge': 20,
  })
})

test('load balancers: the largest dimension decides', () => {
  const alb = { lbType: 'alb', hours: 1 }
  expect(quantities({ ...alb, newConnectionsPerSecond: 50, activeConnections: 3_000 })).toMatchObject({ 'elb.albLcuHours': 2 })
  expect(quantities({ ...alb, lambdaGBPerHour: 2, processedGBPerHour: 1 })).toMatchObject({ 'elb.albLcuHours': 6 })
  const tls = { newPerSecond: 50, active: 6_000, gbPerHour: 1 }
  expect(quantities({ lbType: 'nlb', hours: 1, tls, tcp: { newPerSecond: 1_600 } })).toMatchObject({ 'elb.nlbNlcuHours': 4 })
})

test('services can be stated together, and items as they are', () => {
  const inputs = { devices: 2, days: 1, iotCore: { messagesPerDeviceDay: 3 }, sqs: { queueType: 'fifo', requestsPerMonth: 5 } }
  expect(quantities({ ...inputs, quantities: { 'kinesis.onDemandStreamHours': 720 }, dataOutGB: 1 })).toEqual({
    'iotCore.messages': 6,
    'sqs.fifoRequests': 5,
    'kinesis.onDemandStreamHours': 720,
    'dataTransfer.internetOut': 1,
  })
})

describe('refuses', () => {
  test.each([
    [{ payloadByte: 1 }, 'payloadByte is not a known field; did you mean "payloadBytes"?'],
    [{ apiType: 'http', requestPerMonth: 1 }, 'requestPerMonth is not a known field; did you mean "requestsPerMonth"?'],
    [{ topicType: 'standard', deliveriesPerMonth: { htp: 1 } }, 'deliveriesPerMonth.htp is not a known field; did you mean "http"?'],
    [{ sqs: [{ queueType: 'fifo', payloads: 3 }] }, 'payloads is not a known field; expected one of region,'],
    [{ devices: -5 }, 'devices is -5; expected >=0'],
    [{ messagesPerMonth: '5' }, 'messagesPerMonth is "5"; expected number'],
    [{ queueType: 'priority' }, 'queueType is "priority"; expected one of standard, fifo, fair'],
    [{ region: 'mars-1', messagesPerMonth: 1 }, 'region "mars-1" has no price book'],
    [{ region: 7 }, 'region: expected text'],
    [[], 'inputs must be a JSON object'],
  ])('%j', (inputs, message) => expect(() => readRawUsage(inputs)).toThrow(message))
})
