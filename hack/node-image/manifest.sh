# shellcheck shell=bash
# What is in an image, for people and programs. To be sourced.

# package NAME prints of which version a package is in the root.
package() { awk -v name="$1" '$1 == name { print $2 }' "$entry/packages"; }

# members prints the members of a JSON object, of lines of a name and a value.
members() { sed -E 's/^([^ ]+) (.*)$/    "\1": "\2"/; $!s/$/,/'; }

# manifest FILE FORMAT prints the manifest of an image.
manifest() {
	local file=$1 format=$2 name
	cat <<-JSON
		{
		  "release": "$release_name",
		  "file": {
		    "format": "$format",
		    "size": $(stat -c %s "$file"),
		    "minDiskBytes": $(qemu-img info --output=json "$file" | sed -n 's/^ *"virtual-size": \([0-9]*\),*$/\1/p'),
		    "sha256": "$(sha256sum <"$file" | cut -d' ' -f1)"
		  },
		  "inputs": "$root_key",
		  "rootSHA256": "$(cat "$entry/root.sha256")",
		  "versions": {
		$({
			echo "kubernetes $kubernetes_version"
			echo "containerd ${containerd##*/}"
			echo "cni-plugins ${cni##*/}"
			echo "crictl ${crictl##*/}"
			for name in runc systemd cloud-init linux-image-cloud-amd64; do echo "$name $(package "$name")"; done
		} | members)
		  },
		  "images": {
		$(for name in "${node_images[@]}"; do echo "$(image_of "$name" 2) $(image_of "$name" 3)"; done | members)
		  },
		  "packages": {
		$(members <"$entry/packages")
		  }
		}
	JSON
}
