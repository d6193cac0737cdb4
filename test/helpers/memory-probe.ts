// Loaded into a program that is measured: asked over IPC, it collects its garbage and tells what is left.
import { setFlagsFromString, writeHeapSnapshot } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

process.on('message', (asked) => {
  if (asked !== 'memory') return
  // What finalizers and closing handles let go of is garbage in the second round.
  collect()
  setImmediate(() => {
    collect()
    if (process.env.HEAP_SNAPSHOT)
      writeHeapSnapshot(`${process.env.HEAP_SNAPSHOT}-${process.pid}-${Math.round(performance.now())}.heapsnapshot`)
    process.send?.({ memory: process.memoryUsage() })
  })
})
// The probe alone keeps no program alive.
process.channel?.unref()
