/** The kernel's unit in /proc on every architecture Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU time of the children a process had and has seen the end of, from the text of its /proc/PID/stat. */
export function reapedCpuSeconds(stat: string): number {
  // The name in parentheses may contain anything; the state is the third field, behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system] = [fields[13], fields[14]];
  return (Number(user) + Number(system)) / TICKS_PER_SECOND;
}
