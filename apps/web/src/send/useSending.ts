/** Sending as the page does it: added files are handed to the node first, a path on its machine is sent as it is. */
import type { EnqueueSendInput } from '@godwit/protocol/api'
import { useEffect, useRef, useState } from 'react'
import { client } from '../api/api'
import { goTo, pathOfTransfer } from '../router'
import { newSubmissionId } from '../ui/submission'
import type { AddedFile } from './droppedFiles'
import { upload } from './upload'

export type SendOptions = Omit<EnqueueSendInput, 'paths' | 'submissionId'>

export type Sending =
  | { readonly is: 'idle' }
  | { readonly is: 'handingOver'; readonly bytes: number; readonly total: number }
  | { readonly is: 'enqueueing' }
  | { readonly is: 'failed'; readonly error: unknown }

export const useSending = () => {
  const [sending, setSending] = useState<Sending>({ is: 'idle' })
  const abort = useRef<AbortController>(undefined)
  const isBusy = sending.is === 'handingOver' || sending.is === 'enqueueing'

  useEffect(() => {
    if (!isBusy) return
    const warn = (event: BeforeUnloadEvent): void => event.preventDefault()
    addEventListener('beforeunload', warn)
    return () => removeEventListener('beforeunload', warn)
  }, [isBusy])
  useEffect(() => () => abort.current?.abort(), [])

  const sendFiles = async (files: readonly AddedFile[], options: SendOptions, signal: AbortSignal): Promise<string> => {
    const total = files.reduce((sum, { file }) => sum + file.size, 0)
    setSending({ is: 'handingOver', bytes: 0, total })
    const { spoolId } = await client.page.beginSpool.mutate({ files: files.length, bytes: total }, { signal })
    try {
      await upload({ spoolId, files, signal, onProgress: (bytes) => setSending({ is: 'handingOver', bytes, total }) })
      setSending({ is: 'enqueueing' })
      return (await client.page.sendSpool.mutate({ ...options, spoolId, submissionId: newSubmissionId() })).transferId
    } catch (error) {
      client.page.dropSpool.mutate({ spoolId }).catch(() => undefined)
      throw error
    }
  }

  const start = (files: readonly AddedFile[], paths: readonly string[], options: SendOptions): void => {
    const controller = new AbortController()
    abort.current = controller
    const run = async (): Promise<string> => {
      if (files.length > 0) return sendFiles(files, options, controller.signal)
      setSending({ is: 'enqueueing' })
      const input = { ...options, paths: [...paths], submissionId: newSubmissionId() }
      return (await client.transfers.enqueueSend.mutate(input)).transferId
    }
    run().then(
      (transferId) => {
        if (!controller.signal.aborted) goTo(pathOfTransfer(transferId))
      },
      (error: unknown) => setSending(controller.signal.aborted ? { is: 'idle' } : { is: 'failed', error }),
    )
  }

  const stop = (): void => {
    abort.current?.abort()
    setSending({ is: 'idle' })
  }
  return { sending, isBusy, start, stop }
}
