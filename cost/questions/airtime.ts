// Question 8: the device's airtime against the cloud's bill.
import { airtime, type DataPlan, dataPlans, sessionIdleMs } from '../airtime.ts'
import { estimatePath } from '../estimate.ts'
import { formatInterval } from '../format.ts'
import { formatUsd } from '../money.ts'
import { basisOf, type Path, type PathName, paths, type WireOf, wireOf } from '../paths.ts'
import { loadPriceBook } from '../price-book.ts'
import type { Workload } from '../workload.ts'
import { describeWorkload, orReason, type Question } from './answer.ts'

const names = ['iot-mqtt', 'iot-mqtt-ws', 'iot-mqtt-reconnect', 'iot-https', 'api-websocket-sqs'] as const satisfies readonly PathName[]
const plans = ['by-the-kB', 'prepaid-500MB', 'session-10kB', 'session-25kB'] as const
const keepAlives = [60_000, 300_000, 1_200_000]

export const airtimeCosts: Question = {
  title: 'What does the device’s airtime cost against the cloud charge, by protocol, keep-alive interval and data plan?',
  answer(workload, wires = wireOf) {
    const hourly = { ...workload, intervalMs: 3_600_000 }
    const cases: readonly (readonly [PathName, Workload])[] = [
      ...names.map((name) => [name, workload] as const),
      ...names.flatMap((name) =>
        (paths[name].connection === 'always-on' ? keepAlives : [workload.keepAliveMs]).map(
          (keepAliveMs) => [name, { ...hourly, keepAliveMs }] as const,
        ),
      ),
    ]
    const rows = cases.map(([name, at]) => row(name, at, wires))
    const [mqtt, , , https] = names.map((name) => monthly(name, workload, dataPlans['by-the-kB'], wires)) as [
      bigint,
      bigint,
      bigint,
      bigint,
    ]
    return {
      formula:
        'bytes on the wire with TCP/IP, rounded up for each data session or six-hour record, × the price of a MB; keep-alives are sessions of their own once the radio sleeps',
      inputs: `${describeWorkload(workload)}, and the same once an hour; a data session ends after ${formatInterval(sessionIdleMs)} of silence (assumed); bytes ${basisOf(wires, workload)}`,
      labels: 3,
      header: ['path', 'message every', 'keep-alive', 'MB on the wire', ...plans.map((plan) => `${plan}, USD`), 'cloud, USD'],
      rows,
      result: `For one device a month by the kB: ${formatUsd(mqtt)} of airtime over always-on MQTT and ${formatUsd(https)} over HTTPS with a connection for each message, the SIM’s 1 USD included; the cloud charges ${rows[0]!.at(-1)} and ${rows[3]!.at(-1)} for it.`,
      confidence: 'recalled',
      caveat: `Bytes are ${basisOf(wires, workload)}; the price of the prepaid plan is recalled; session minimums are those of some networks.`,
    }
  },
}

function row(name: PathName, workload: Workload, wires: WireOf): readonly string[] {
  const path: Path = paths[name]
  const { wireBytes } = airtime(dataPlans['by-the-kB'], workload, wires(path, workload), path.connection === 'always-on')
  const one = { ...workload, devices: 1, pollers: 0 }
  return [
    name,
    formatInterval(workload.intervalMs),
    path.connection === 'always-on' ? formatInterval(workload.keepAliveMs) : '-',
    (wireBytes / 1e6).toFixed(2),
    ...plans.map((plan) => formatUsd(monthly(name, workload, dataPlans[plan], wires))),
    orReason(() => formatUsd(estimatePath(name, one, loadPriceBook(workload.region), 'none', wires).totalNanoDollars)),
  ]
}

function monthly(name: PathName, workload: Workload, plan: DataPlan, wires: WireOf): bigint {
  const path: Path = paths[name]
  return airtime(plan, workload, wires(path, workload), path.connection === 'always-on').nanoDollars ?? 0n
}
