// Question 6: servers of our own.
import { crossover } from '../crossover.ts'
import { formatRanges } from '../format.ts'
import { type PathName, wireOf } from '../paths.ts'
import { parseWorkload, type Workload } from '../workload.ts'
import { describeWorkload, orReason, type Question } from './answer.ts'

const rivals = ['iot-mqtt', 'iot-mqtt-basic-ingest', 'api-http-sqs'] as const satisfies readonly PathName[]
const assumptions: readonly (readonly [string, Partial<Workload>])[] = [
  ['as given', {}],
  ['5,000 connections a node', { connectionsPerNode: 5_000 }],
  ['two spare nodes', { spareNodes: 2 }],
  ['2,000 USD of work a month', { labourUsd: 2_000 }],
  ['8,000 USD of work a month', { labourUsd: 8_000 }],
  ['one message a call to SQS', { messagesPerCall: 1 }],
]

export const selfHosted: Question = {
  title: 'From which fleet size on is a self-hosted gateway cheaper?',
  answer(workload, wires = wireOf) {
    const own = ['weir-ec2', 'weir-fargate'] as const
    const rows = own.flatMap((name) =>
      assumptions.map(([title, fields]) => [
        name,
        title,
        ...rivals.map((rival) =>
          orReason(() =>
            formatRanges(crossover(rival, name, 'devices', parseWorkload({ ...workload, ...fields }), { domain: [1, 1_000_000], wires })),
          ),
        ),
      ]),
    )
    const { connectionsPerNode, messagesPerSecondPerNode, spareNodes, labourUsd, instanceType } = workload
    return {
      formula:
        'nodes = max(⌈devices / connections a node⌉, ⌈messages a second / messages a node⌉) + spare; bill = nodes × hours + balancer + addresses + SQS in batches of ten + bytes out + work',
      inputs: `${describeWorkload(workload)}; ${instanceType}, ${connectionsPerNode} connections and ${messagesPerSecondPerNode} messages a second a node (assumed), ${spareNodes} spare, ${labourUsd} USD of work a month`,
      labels: 2,
      header: ['own servers', 'assuming', ...rivals.map((name) => `against ${name}`)],
      rows,
      result: `Against IoT Core with a rule: ${rows[0]![2]}. With 2,000 USD of work a month: ${rows[3]![2]}.`,
      confidence: 'recalled',
      caveat:
        'Capacity of a node is an assumption until a bench of this machine type replaces it; the price of public addresses is recalled; traffic between zones is left out.',
    }
  },
}
