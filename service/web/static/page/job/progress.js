// The progress of a job as it happens, from its stream of events.

import { get } from "../api.js";
import { useEffect, useMemo, useRef, useState } from "../html.js";
import { Newest } from "../newest.js";
import { JobStream } from "./stream.js";

const RETRY_MS = 1000;

// {job, reload(), checks: by step, progress: of the newest, isLost: whether the connection is, isGone: whether the job was deleted}
export function useProgress(first) {
  const [job, setJob] = useState(first);
  const [shown, setShown] = useState({ checks: [], progress: first.metrics.latest && first.progress });
  const [link, setLink] = useState({ isLost: false, isGone: false });
  const checks = useRef(new Map());
  const retry = useRef(null);
  const reloading = useMemo(() => new Newest(async () => {
    clearTimeout(retry.current);
    const isLost = await get(`/jobs/${first.id}`).then(setJob, (problem) => problem.isTransient);
    setLink(({ isGone }) => ({ isLost: Boolean(isLost), isGone }));
    if (isLost) retry.current = setTimeout(reload, RETRY_MS);
  }), [first.id]);
  const reload = () => reloading.run();
  useEffect(() => {
    let frame = null;
    // Thousands of checks of a finished run arrive at once: they are shown together.
    const showSoon = () => {
      frame ??= requestAnimationFrame(() => {
        frame = null;
        const sorted = [...checks.current.values()].sort((a, b) => a.step - b.step);
        setShown({ checks: sorted, progress: sorted.at(-1).progress });
      });
    };
    const stream = new JobStream(first.id, {
      state: ({ state }) => {
        setJob((job) => (job.finished_at ? job : { ...job, state }));
        reload(); // for its history, and the step at which it is paused
      },
      check: (check) => {
        checks.current.set(check.step, check);
        showSoon();
      },
      end: reload,
      link: (isUp, problem) => {
        const isGone = problem?.status === 404;
        if (isGone) stream.close();
        setLink({ isLost: !isUp, isGone });
      },
    });
    return () => {
      stream.close();
      clearTimeout(retry.current);
      cancelAnimationFrame(frame);
    };
  }, [first.id]);
  return { job, reload, ...shown, ...link };
}
