// Times as text and back: Joda-Time patterns one way, java.time patterns the other [AWS iot-sql-functions].
import type { FunctionTable } from './table.ts'

export const time = {} as const satisfies FunctionTable
