// What stands between an acknowledgement and a delivery: a disk, or the targets themselves.
import { z } from 'zod'
import { directSpoolSchema } from './direct.ts'
import { fileSpoolSchema } from './file.ts'

export const spoolSchema = z.discriminatedUnion('kind', [fileSpoolSchema, directSpoolSchema])
