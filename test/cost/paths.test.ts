// What each path is billed for, in units one can count on one's fingers.
import { describe, expect, test } from 'vitest'
import { pathNames, paths, pathUsage } from '../../cost/paths.ts'
import { loadPriceBook } from '../../cost/price-book.ts'
import { parseWorkload } from '../../cost/workload.ts'

const book = loadPriceBook('us-east-1')
/** One device, one day, a message a minute: 1,440 of everything. */
const small = { devices: 1, days: 1, payloadBytes: 200, topicBytes: 43, pollers: 0, dataOut: false } as const
const usage = (name: (typeof pathNames)[number], over: object = {}) =>
  Object.fromEntries(Object.entries(pathUsage(paths[name], parseWorkload({ ...small, ...over }), book)).filter(([, n]) => n !== 0))
const m = 1_440
const rule = { 'iotCore.rulesTriggered': m, 'iotCore.actionsExecuted': m }
const single = { 'sqs.standardRequests': m + m / 10 + m / 10 }

describe('IoT Core', () => {
  test('an always-on device: minutes, one CONNECT, publishes, rule, action, one send for each message', () => {
    expect(usage('iot-mqtt')).toEqual({ 'iotCore.connectionMinutes': m, 'iotCore.messages': m + 1, ...rule, ...single })
    expect(usage('iot-mqtt-ws')).toEqual(usage('iot-mqtt'))
  })

  test('without a rule nothing follows the publish', () => {
    expect(usage('iot-mqtt', { rule: false })).toEqual({ 'iotCore.connectionMinutes': m, 'iotCore.messages': m + 1 })
  })

  test('Basic Ingest keeps the CONNECT and the rule, which it cannot do without', () => {
    const expected = { 'iotCore.connectionMinutes': m, 'iotCore.messages': 1, 'iotCore.basicIngestMessages': m, ...rule, ...single }
    expect(usage('iot-mqtt-basic-ingest')).toEqual(expected)
    expect(usage('iot-mqtt-basic-ingest', { rule: false })).toEqual(expected)
  })

  test('connecting for each message: a minute and a CONNECT each', () => {
    expect(usage('iot-mqtt-reconnect')).toEqual({ 'iotCore.connectionMinutes': m, 'iotCore.messages': 2 * m, ...rule, ...single })
  })

  test('HTTPS has no minutes, and its topic no size', () => {
    expect(usage('iot-https')).toEqual({ 'iotCore.messages': m, ...rule, ...single })
    expect(usage('iot-https', { payloadBytes: 5_120 })['iotCore.messages']).toBe(m)
    expect(usage('iot-mqtt', { payloadBytes: 5_078 })['iotCore.messages']).toBe(2 * m + 1)
    expect(usage('iot-mqtt', { payloadBytes: 5_078 })['iotCore.rulesTriggered']).toBe(m)
  })

  test('a rule cannot write to FIFO or fair queues, and no message is larger than 128 KB', () => {
    expect(() => usage('iot-mqtt', { queue: 'fifo' })).toThrow('cannot send to a fifo queue')
    expect(() => usage('iot-https', { payloadBytes: 131_073 })).toThrow('takes messages of at most 131072 bytes, not 131073')
  })
})

describe('API Gateway', () => {
  test('WebSocket: minutes, messages, acknowledgements and pings of an idle connection', () => {
    const minutes = { 'apiGateway.webSocketConnectionMinutes': m }
    expect(usage('api-websocket-sqs')).toEqual({ ...minutes, 'apiGateway.webSocketMessages': 2 * m, ...single })
    expect(usage('api-websocket-sqs', { qos: 0 })).toMatchObject({ 'apiGateway.webSocketMessages': m })
    const hourly = usage('api-websocket-sqs', { intervalMs: 3_600_000, qos: 0 })
    expect(hourly['apiGateway.webSocketMessages']).toBe(24 * (1 + 5))
  })

  test('HTTP and REST: requests, then SQS or Lambda', () => {
    expect(usage('api-http-sqs')).toEqual({ 'apiGateway.httpRequests': m, ...single })
    expect(usage('api-rest-lambda', { lambdaMemoryMB: 1_024, lambdaDurationMs: 9.5 })).toEqual({
      'apiGateway.restRequests': m,
      'lambda.requests': m,
      'lambda.durationArm': m / 100,
    })
  })
})

describe('servers of our own', () => {
  test('one node for the load and one to spare, behind a balancer in two zones', () => {
    expect(usage('weir-ec2')).toMatchObject({ 'ec2.c7g.large': 48, 'elb.nlbHours': 24, 'vpc.publicIpv4Hours': 48 })
    expect(usage('weir-ec2', { devices: 20_001, spareNodes: 2 })['ec2.c7g.large']).toBe(4 * 24)
    expect(usage('weir-fargate', { taskVcpu: 2, taskMemoryGB: 4 })).toMatchObject({
      'fargate.fargateArmVcpuHours': 96,
      'fargate.fargateArmGbHours': 192,
    })
  })

  test('the message rate can need more nodes than the connections', () => {
    expect(usage('alb-weir', { devices: 12_000, intervalMs: 1_000, spareNodes: 0 })['ec2.c7g.large']).toBe(3 * 24)
  })

  test('an ALB with many open sockets is billed for them', () => {
    expect(usage('alb-weir-websocket', { devices: 30_000, intervalMs: 3_600_000 })['elb.albLcuHours']).toBe(240)
  })
})

describe('SQS', () => {
  const requests = (over: object) => usage('weir-ec2', over)['sqs.standardRequests']

  test('single, batched and packed sends', () => {
    expect(requests({ sends: 'single' })).toBeCloseTo(m * 1.2)
    expect(requests({ sends: 'batched' })).toBeCloseTo(m * 0.3)
    expect(requests({ sends: 'packed' })).toBeCloseTo((m / 327) * 2.1) // 327 readings of 200 bytes fill 64 KB, which no batch makes cheaper
  })

  test('a batch is one request for each 64 KB of it', () => {
    expect(requests({ sends: 'batched', payloadBytes: 65_536 })).toBeCloseTo(m + m + m / 10)
    expect(requests({ sends: 'batched', payloadBytes: 1_048_576 })).toBeCloseTo(16 * m + 16 * m + m)
  })

  test('FIFO has its own price, fair a surcharge on the sends', () => {
    expect(usage('weir-ec2', { queue: 'fifo' })['sqs.fifoRequests']).toBeCloseTo(m * 0.3)
    expect(usage('weir-ec2', { queue: 'fair' })['sqs.fairQueueSurcharge']).toBeCloseTo(m * 0.1)
    expect(usage('weir-ec2', { queue: 'none' })).not.toHaveProperty('sqs.standardRequests')
  })

  test('an idle consumer polls every 20 seconds', () => {
    expect(requests({ sends: 'batched', pollers: 2 })).toBeCloseTo(m * 0.3 + 2 * 4_320)
  })
})

test('every path has a title of its own', () => {
  expect(new Set(pathNames.map((name) => paths[name].title)).size).toBe(pathNames.length)
})
