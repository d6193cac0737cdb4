// Crossovers agree with the bills themselves, wherever one looks.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AxisName, axes, crossover } from '../../cost/crossover.ts'
import { estimatePath } from '../../cost/estimate.ts'
import { type PathName, pathNames } from '../../cost/paths.ts'
import { loadPriceBook } from '../../cost/price-book.ts'
import { parseWorkload, type Workload } from '../../cost/workload.ts'

const book = loadPriceBook('us-east-1')
const cost = (path: PathName, workload: Workload) => estimatePath(path, workload, book).totalNanoDollars
const priced = pathNames.filter((name) => name !== 'hivemq-cloud')

test('whoever a range calls cheaper is cheaper at any point of it', () => {
  const pair = fc.tuple(fc.constantFrom(...priced), fc.constantFrom(...priced)).filter(([a, b]) => a !== b)
  const axis = fc.constantFrom(...(Object.keys(axes) as AxisName[]))
  const fields = fc.record({
    devices: fc.constantFrom(10, 3_000, 250_000),
    intervalMs: fc.constantFrom(2_000, 60_000, 3_600_000),
    payloadBytes: fc.constantFrom(50, 5_000, 70_000),
    readingsPerMessage: fc.constantFrom(1, 1, 1, 7),
    qos: fc.constantFrom<0 | 1>(0, 1),
    dataOut: fc.boolean(),
    rule: fc.boolean(),
  })
  fc.assert(
    fc.property(
      pair,
      axis,
      fields,
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 4, maxLength: 4 }),
      ([a, b], name, over, points) => {
        const workload = parseWorkload(over)
        const domain = { interval: [1_000, 7_200_000], devices: [1, 400_000], payload: [1, 18_000] } as const
        fc.pre(Object.hasOwn(domain, name) && (name === 'payload' || workload.payloadBytes * workload.readingsPerMessage <= 131_072))
        const { ranges } = crossover(a, b, name, workload, { domain: domain[name] })
        expect([ranges[0]!.from, ranges.at(-1)!.to]).toEqual(domain[name])
        for (const [i, { from, to, cheaper }] of ranges.entries()) {
          if (i > 0) expect(from).toBe(ranges[i - 1]!.to + 1)
          for (const n of [from, to, ...points.map((share) => Math.round(from + share * (to - from)))]) {
            const at = { ...workload, [axes[name].field]: n }
            const difference = cost(a, at) - cost(b, at)
            if (difference > 2n || difference < -2n) expect({ n, cheaper: difference < 0n ? a : b }).toEqual({ n, cheaper })
          }
        }
      },
    ),
    { numRuns: 40 },
  )
})

describe('known turns', () => {
  const bare = { rule: false, queue: 'none', dataOut: false } as const

  test('always on against connecting for each message: 0.08 a million minutes against 1.08 a million messages more', () => {
    // 43,200 minutes x 0.08 + 30 CONNECTs = m x (0.08 + 1.00), so m = (3456 + 30) / 1.08 messages a month
    const { turns } = crossover('iot-mqtt', 'iot-mqtt-reconnect', 'interval', parseWorkload(bare))
    expect(turns).toHaveLength(1)
    expect(turns[0]!.at).toBeCloseTo((2_592_000_000 * 1.08) / (3_456 + 30), 3)
  })

  test('a size step is a turn of its own kind, on the byte', () => {
    const { turns } = crossover('iot-mqtt', 'api-websocket-sqs', 'payload', parseWorkload({ dataOut: false, topicBytes: 43 }))
    expect(turns).toEqual([{ at: 5_077, before: 5_077, after: 5_078, kind: 'step' }])
  })

  test('the payload axis ends where one path cannot carry the message', () => {
    const { ranges } = crossover('iot-mqtt', 'api-http-sqs', 'payload', parseWorkload({ readingsPerMessage: 2 }))
    expect(ranges.at(-1)!.to).toBe(65_536)
  })

  test('a tier bound inside a straight piece is seen', () => {
    const { ranges } = crossover(
      'api-http-lambda',
      'api-websocket-lambda',
      'devices',
      parseWorkload({ webSocketAcks: false, dataOut: false }),
    )
    for (const { from, to, cheaper } of ranges)
      for (const devices of [from, to]) {
        const at = parseWorkload({ webSocketAcks: false, dataOut: false, devices })
        expect(cost('api-http-lambda', at) < cost('api-websocket-lambda', at)).toBe(cheaper === 'api-http-lambda')
      }
  })
})

test('bills with too many steps are refused, not computed for hours', () => {
  const tiny = parseWorkload({ connectionsPerNode: 3 })
  expect(() => crossover('iot-mqtt', 'weir-ec2', 'devices', tiny)).toThrow('more than 2000 steps over devices; narrow the range')
  expect(crossover('iot-mqtt', 'weir-ec2', 'devices', tiny, { domain: [1, 1_000] }).ranges.at(-1)!.to).toBe(1_000)
})

test('a path without a price has no crossover', () => {
  expect(() => crossover('iot-mqtt', 'hivemq-cloud', 'interval', parseWorkload({}))).toThrow(
    'us-east-1 has no price for hivemqCloud.messages',
  )
})
