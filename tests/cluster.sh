# shellcheck shell=bash
# tests/cluster.sh: a SLURM cluster of one's own on this machine, slurmctld, slurmd and munged; sourced, by root.
#   start_cluster [CPUS [PARAMETERS]]    0 and SLURM_CONF exported, or 1 and the reason in $why; with CPUS the node says that it has so many (2);
#                           the scheduler's parameters, as SLURM's own without
#   stop_cluster            ends the daemons and removes their files; also after a start that failed
cluster_dir='' cluster_daemons=() why=''
stop_cluster() {
	local pid
	for pid in "${cluster_daemons[@]}"; do kill "$pid" 2>/dev/null || :; done
	for pid in "${cluster_daemons[@]}"; do
		for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
		kill -9 "$pid" 2>/dev/null || :
	done
	cluster_daemons=()
	[ -z "$cluster_dir" ] || rm -rf "$cluster_dir"
	return 0
}
start_cluster() {
	local program d host port state='' cpus=${1:-2}
	export PATH=$PATH:/usr/sbin:/sbin
	for program in slurmctld slurmd munged sbatch; do
		command -v $program >/dev/null || { why="no $program, expected the packages slurm-wlm and munge"; return 1; }
	done
	d=$(mktemp -d /tmp/slurm.XXXXXX) # a short path, since a socket's name is limited
	cluster_dir=$d
	host=$(hostname -s)
	port=$((20000 + RANDOM % 10000 * 2))
	chmod 755 "$d"
	mkdir -m 700 "$d/munge" "$d/state" "$d/spool"
	(umask 077 && head -c 128 /dev/urandom >"$d/munge/key")
	cat >"$d/slurm.conf" <<-END
		ClusterName=local
		SlurmctldHost=$host(127.0.0.1)
		SlurmUser=root
		SlurmdUser=root
		AuthType=auth/munge
		AuthInfo=socket=$d/munge.socket,cred_expire=5
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		JobAcctGatherType=jobacct_gather/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_Core
		${2:+SchedulerParameters=$2}
		StateSaveLocation=$d/state
		SlurmdSpoolDir=$d/spool
		SlurmctldPidFile=$d/ctld.pid
		SlurmdPidFile=$d/d.pid
		SlurmctldLogFile=$d/ctld.log
		SlurmdLogFile=$d/d.log
		SlurmctldPort=$port
		SlurmdPort=$((port + 1))
		SlurmdParameters=config_overrides
		ReturnToService=2
		MpiDefault=none
		NodeName=$host NodeAddr=127.0.0.1 CPUs=$cpus State=UNKNOWN
		PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
	END
	export SLURM_CONF=$d/slurm.conf
	munged --force --foreground --key-file="$d/munge/key" --socket="$d/munge.socket" --pid-file="$d/munge/pid" \
		--log-file="$d/munge/log" --seed-file="$d/munge/seed" >"$d/munged.log" 2>&1 </dev/null &
	cluster_daemons+=($!)
	for _ in $(seq 100); do [ -S "$d/munge.socket" ] && break; sleep 0.1; done
	slurmctld -D >"$d/ctld.out" 2>&1 </dev/null &
	cluster_daemons=($! "${cluster_daemons[@]}")
	slurmd -D >"$d/d.out" 2>&1 </dev/null &
	cluster_daemons=($! "${cluster_daemons[@]}")
	for _ in $(seq 120); do
		state=$(timeout 5 sinfo -h -o %T 2>/dev/null)
		[ "$state" = idle ] && return
		sleep 0.5
	done
	tail -n 20 "$d"/*.log "$d"/*.out "$d/munge/log" 2>&1 | sed 's/^/# /'
	# shellcheck disable=SC2034	# the caller's
	why="the node is '$state', expected idle"
	return 1
}
